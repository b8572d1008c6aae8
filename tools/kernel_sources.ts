/**
 * What the kernels' builds are made of, so that a build can tell whether it is of these sources without being made again.
 *
 * @module
 */

/** The AssemblyScript files below a folder, in the order of their names. */
function sourcesIn(folder: URL): URL[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(new URL(`${name}/`, folder));
    return name.endsWith(".as.ts") ? [new URL(name, folder)] : [];
  });
}

/** SHA-256 of the names and texts of all kernels, in hexadecimal digits. */
export async function hashOfKernels(root: URL): Promise<string> {
  const texts = sourcesIn(new URL("src/", root)).map((file) =>
    `${file.href.slice(root.href.length)}\n${Deno.readTextFileSync(file)}`
  );
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\n")));
  return new Uint8Array(digest).toHex();
}
