/** Which parts of the sources may import which. */
import { assertEquals } from "@std/assert";

const root = new URL("../src/", import.meta.url);

/** The sources below a folder, without generated ones. */
function sourcesIn(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return name === "generated" ? [] : sourcesIn(new URL(`${name}/`, folder));
    return name.endsWith(".ts") ? [new URL(name, folder)] : [];
  });
}

/** A source without its comments. */
function codeOf(file: URL): string {
  return Deno.readTextFileSync(file).replace(/\/\*[^]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

Deno.test("operations, backends and the runtime name no model, layer or preset", () => {
  const names = /rwkv|transformer|lstm_?model|time_?mix|channel_?mix|preset/i;
  const found = ["ops/", "runtime/", "backends/"].flatMap((folder) => sourcesIn(new URL(folder, root)))
    .flatMap((file) => {
      const lines = codeOf(file).split("\n").filter((line) => names.test(line));
      return lines.map((line) => `${file.href.slice(root.href.length)}: ${line.trim()}`);
    });
  assertEquals(found, []);
});

Deno.test("sources import only from layers below them", () => {
  const layers = ["models", "train"],
    above: Readonly<Record<string, readonly string[]>> = {
      ops: ["layers", ...layers, "tasks", "data", "checkpoint"],
      runtime: ["layers", ...layers, "tasks", "data", "checkpoint"],
      backends: ["layers", ...layers, "tasks", "data", "checkpoint"],
      autodiff: ["layers", ...layers, "tasks", "data", "checkpoint"],
      layers: [...layers, "tasks", "data", "checkpoint"],
      models: ["train", "tasks", "data", "checkpoint"],
    };
  const found = Object.entries(above).flatMap(([folder, names]) =>
    sourcesIn(new URL(`${folder}/`, root)).flatMap((file) => {
      const imports = [...codeOf(file).matchAll(/from "([^"]+)"/g)].map(([, path]) =>
        new URL(path, file).href.slice(root.href.length)
      );
      return imports.filter((path) => names.includes(path.split("/")[0])).map((path) =>
        `${file.href.slice(root.href.length)}: ${path}`
      );
    })
  );
  assertEquals(found, []);
});

Deno.test("no bench file imports itself, directly or indirectly", () => {
  const bench = new URL("../bench/", import.meta.url);
  const graph = new Map(
    sourcesIn(bench).map((file) => {
      const paths = [...codeOf(file).matchAll(/(?:from|import) "(\.[^"]+)"/g)].map(([, path]) => path);
      return [file.href, paths.map((path) => new URL(path, file).href)];
    }),
  );
  const found: string[] = [], done = new Set<string>();
  const visit = (file: string, way: readonly string[]) => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].join(" -> "));
    else if (!done.has(file)) graph.get(file)?.forEach((next) => visit(next, [...way, file]));
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  assertEquals(found, []);
});
