import { assertEquals } from "@std/assert";
import { hashOfKernels } from "../../../tools/kernel_sources.ts";

const root = new URL("../../../", import.meta.url);

for (const build of ["relaxed", "baseline"]) {
  Deno.test(`createWasm() loads builds of the current sources: ${build}`, async () => {
    const file = new URL(`src/backends/wasm/generated/module_${build}.js`, root);
    const [, hash] = /^\/\/ SHA-256 of these sources: (\w+)$/m.exec(await Deno.readTextFile(file)) ?? [];
    assertEquals(hash, await hashOfKernels(root), "run deno task build");
  });
}
