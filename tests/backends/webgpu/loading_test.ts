import { assert, assertEquals } from "@std/assert";

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

Deno.test("createWebGpu() is what loads the shaders, the import of the library does not", async () => {
  const root = new URL("../../../", import.meta.url);
  const shaders = await loadedWith(new URL("src/backends/webgpu/kernels.ts", root));
  assert(shaders.some((file) => file.endsWith("ops/wkv/shader.ts")));
  const library = new Set(await loadedWith(new URL("mod.ts", root)));
  assertEquals(shaders.filter((file) => library.has(file)), []);
});
