/**
 * Writes a file as a whole or not at all: whatever ends the process, the power included, the file is either the old one
 * or the new one.
 *
 * The new contents go to a file beside it, reach the disk, and only then take its name.
 *
 * @param path the file; its folder has to be there
 * @param contents bytes, or a text
 */
export async function writeWhole(path: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const beside = `${path}.${Deno.pid}.new`;
  try {
    using file = await Deno.open(beside, { write: true, create: true, truncate: true });
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    await file.sync();
    await Deno.rename(beside, path);
  } catch (error) {
    await Deno.remove(beside).catch(() => {});
    throw error;
  }
}
