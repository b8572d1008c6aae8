import { assertEquals } from "@std/assert";
import { patch } from "../../../src/backends/wasm/generated/baseline_patch.js";
import { hex as relaxed } from "../../../src/backends/wasm/generated/module_relaxed.js";
import { fromHex } from "../../../src/backends/wasm/hex.ts";
import { patched } from "../../../src/backends/wasm/patch.ts";
import { hashOfKernels, sha256 } from "../../../tools/kernel_sources.ts";

const root = new URL("../../../", import.meta.url);
const generated = (name: string) =>
  Deno.readTextFile(new URL(`src/backends/wasm/generated/${name}.js`, root));

for (const name of ["module_relaxed", "baseline_patch"]) {
  Deno.test(`createWasm() loads builds of the current sources: ${name}`, async () => {
    const [, hash] = /^\/\/ SHA-256 of these sources: (\w+)$/m.exec(await generated(name)) ?? [];
    assertEquals(hash, await hashOfKernels(root), "run deno task build");
  });
}

Deno.test("createWasm() loads the very bytes of the baseline build", async () => {
  const [, hash] = /SHA-256 of the module: (\w+)$/m.exec(await generated("baseline_patch")) ?? [];
  assertEquals(await sha256(fromHex(patched(relaxed, patch))), hash);
});

Deno.test("patched() keeps, drops and inserts digits", () => {
  assertEquals(patched("0123456789", "2 0 aa 3 2  1 1 bbcc"), "01aa2347bbcc9");
});
