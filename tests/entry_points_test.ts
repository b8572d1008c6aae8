import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as library from "@seqmix/seqmix";
import * as lazily from "../src/backends/load.ts";
import * as atOnce from "../src/backends/load_at_once.ts";
import config from "../deno.json" with { type: "json" };

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

const root = new URL("../", import.meta.url);
const { ".": _, "./worker": worker, ...parts } = config.exports;

async function output(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  return text.decode(stdout) + text.decode(stderr);
}

/** The files that a module imports statically, directly or not, by their paths from the root of the repository. */
async function loadedWith(module: string): Promise<string[]> {
  const { roots, modules }: Graph = JSON.parse(await output("info", "--json", module));
  const dependencies = new Map(modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const loaded = new Set(roots);
  // Iterating over a set includes the entries that are added meanwhile.
  for (const file of loaded) {
    for (const { isDynamic, code } of dependencies.get(file) ?? []) {
      if (code !== undefined && !isDynamic) loaded.add(code.specifier);
    }
  }
  return Array.from(loaded, (file) => file.slice(root.href.length));
}

Deno.test("mod.ts exports what the other entry points do, and no more", async () => {
  const names = [];
  for (const file of Object.values(parts)) {
    names.push(...Object.keys(await import(new URL(file, root).href)));
  }
  assertEquals(names.sort(), Object.keys(library).sort());
});

for (
  const [part, others] of [
    ["./core", /^src\/(layers|models|train|tasks|data|checkpoint)\//],
    ["./ops", /^src\/(layers|models|train|tasks|data|checkpoint)\//],
    ["./layers", /^src\/(models|train|tasks|data|checkpoint)\//],
    ["./models", /^src\/(train|tasks|data|checkpoint)\//],
  ] as const
) {
  Deno.test(`${part} imports nothing of the layers above it`, async () => {
    const loaded = await loadedWith(parts[part]);
    assert(loaded.length > 2);
    assertEquals(loaded.filter((file) => others.test(file)), []);
  });
}

Deno.test("createWebGpu() loads the shaders, the import of the library does not", async () => {
  const shaders = await loadedWith("src/backends/webgpu/kernels.ts");
  assert(shaders.includes("src/ops/wkv/shader.ts"));
  const loaded = new Set(await loadedWith("mod.ts"));
  assertEquals(shaders.filter((file) => loaded.has(file)), []);
});

Deno.test("load_at_once.ts, which replaces load.ts in bundles, gives the same", async () => {
  const names = Object.keys(lazily);
  assertEquals(Object.keys(atOnce), names);
  for (const name of names as (keyof typeof lazily)[]) {
    assertEquals(await atOnce[name](), await lazily[name]());
  }
});

Deno.test("stack traces name functions and files as the sources do", () => {
  const error = assertThrows(() => library.wkvState(-1, 4), Error);
  assertMatch(error.stack ?? "", /at (Module\.)?wkvState \(.*\/src\/ops\/wkv\/mod\.ts:/);
});

Deno.test("deno publish includes the sources as they are, and no generated files except the kernels", async () => {
  const listed = await output("publish", "--dry-run", "--allow-dirty", "--no-check");
  const files = Array.from(
    listed.matchAll(/file:\/\/(\S+) \(/g),
    ([, path]) => path.slice(root.pathname.length),
  );
  const of = (pattern: RegExp) => files.filter((file) => pattern.test(file));
  assert(files.length > 100 && files.includes(worker.slice(2)));
  assertEquals(of(/\.as\.ts$/), []);
  assertEquals(of(/\.js$/), [
    "src/backends/wasm/generated/baseline_patch.js",
    "src/backends/wasm/generated/module_relaxed.js",
    "src/train/seqmix_worker.js",
  ]);
  for (const file of of(/\.ts$/)) {
    const longest = Math.max(
      ...Deno.readTextFileSync(new URL(file, root)).split("\n").map(({ length }) => length),
    );
    assert(longest <= 250, `${file} has a line of ${longest} characters`);
  }
});
