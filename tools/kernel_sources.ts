/**
 * The sources of the kernels' builds, and their hash, by which a build can be checked without repeating it.
 *
 * @module
 */
import { operations } from "../src/ops/list.ts";

/** The module that is compiled. */
export const entry = "src/backends/wasm/module.as.ts";

/** The AssemblyScript files below a folder, in the order of their names. */
function sourcesIn(folder: URL): URL[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(new URL(`${name}/`, folder));
    return name.endsWith(".as.ts") ? [new URL(name, folder)] : [];
  });
}

/** The text of {@linkcode entry}, with the exports of all operations' kernels. */
export function entryText(root: URL): string {
  const kernels = new Set(
    operations.flatMap(({ kernel, backward, compute }) => [
      ...compute === null ? [kernel] : [],
      ...backward === null ? [] : [backward.kernel],
    ]),
  );
  const exports = sourcesIn(new URL("src/ops/", root)).map((file) => {
    const functions = Deno.readTextFileSync(file).matchAll(/^export function (\w+)/gm);
    const names = Array.from(functions, ([, name]) => name).filter((name) => kernels.delete(name));
    const path = file.href.slice(root.href.length + "src/".length, -".ts".length);
    return names.length === 0 ? "" : `export { ${names.join(", ")} } from "../../${path}";\n`;
  });
  if (kernels.size > 0) {
    throw new Error(`Cannot build kernels: ${[...kernels].join(", ")} must be in src/ops/`);
  }
  return Deno.readTextFileSync(new URL(entry, root)) + exports.join("");
}

/** SHA-256 of the names and texts of all kernel sources, as hexadecimal digits. */
export async function hashOfKernels(root: URL): Promise<string> {
  const texts = sourcesIn(new URL("src/", root)).map((file) =>
    `${file.href.slice(root.href.length)}\n${Deno.readTextFileSync(file)}`
  );
  const all = [...texts, entryText(root)].join("\n");
  return await sha256(new TextEncoder().encode(all));
}

/** SHA-256 as hexadecimal digits. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
