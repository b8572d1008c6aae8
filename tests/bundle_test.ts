import { assert, assertEquals, assertNotEquals } from "@std/assert";
import * as sources from "@seqmix/seqmix";
import * as bundled from "../mod.ts";
import { backends } from "./backends.ts";

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }[];
}

/** The files that an import of a module loads at once. */
async function loadedWith(module: URL): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", module.href],
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  const { roots, modules }: Graph = JSON.parse(text.decode(stdout));
  const dependencies = new Map(modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const loaded = new Set(roots);
  // A set goes on to what is added on the way.
  for (const file of loaded) {
    for (const { isDynamic, code } of dependencies.get(file) ?? []) {
      if (code !== undefined && !isDynamic) loaded.add(code.specifier);
    }
  }
  return [...loaded];
}

const root = new URL("../", import.meta.url);

/** What a module exports, functions with their names but for the numbers that keep a bundle's apart. */
function namesOf(module: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(module).map(([key, value]) =>
    typeof value === "function" ? `${key} ${value.name.replace(/\d+$/, "")}` : key
  );
}

Deno.test("mod.ts exports what src/mod.ts does, made of the bundle", () => {
  assertEquals(namesOf(bundled), namesOf(sources));
  assertNotEquals<unknown>(bundled.wkv, sources.wkv);
});

Deno.test("mod.ts loads a handful of files, and neither shaders nor the kernels' builds", async () => {
  const loaded = (await loadedWith(new URL("mod.ts", root))).map((file) => file.slice(root.href.length));
  assert(loaded.every((file) => file === "mod.ts" || file.startsWith("bundle/")), loaded.join(" "));
  assert(loaded.length < 8 && !loaded.some((file) => file.startsWith("bundle/open-")), loaded.join(" "));
});

Deno.test("createWebGpu() is what loads the shaders, the import of the library does not", async () => {
  const shaders = await loadedWith(new URL("src/backends/webgpu/kernels.ts", root));
  assert(shaders.some((file) => file.endsWith("ops/wkv/shader.ts")));
  const library = new Set(await loadedWith(new URL("src/mod.ts", root)));
  assertEquals(shaders.filter((file) => library.has(file)), []);
});

Deno.test("fit() of the bundle finds its worker, and learns as the sources do", async () => {
  const losses = async ({ createWasm, fit, presets, rwkv }: typeof bundled | typeof sources) => {
    using backend = await createWasm();
    const train = [[1, 2, 3, 4, 1, 2, 3, 4], [2, 3, 4, 1, 2, 3, 4, 1]];
    const options = { config: presets.matched.rwkv, epochs: 2, backend, workers: 2 };
    const found: number[] = [];
    for await (const { trainLoss } of fit(rwkv, { train }, options)) found.push(trainLoss);
    return found;
  };
  assertEquals(await losses(bundled), await losses(sources));
});

Deno.test({
  name: "createWebGpu() of the bundle loads its shaders",
  ignore: !backends.some(({ name }) => name === "webgpu"),
  async fn() {
    using backend = await bundled.createWebGpu();
    const [a, b] = [[1, 2], [3, 5]].map((numbers) => bundled.tensor(numbers, [2], backend));
    assertEquals(await bundled.read(bundled.add(a, b)), new Float32Array([4, 7]));
  },
});
