/**
 * Writes a file atomically: even after a crash or power failure, the file has either its old or its new contents.
 *
 * The new contents are written to another file and flushed to the disk before that is renamed.
 *
 * @param path the file; its folder must exist
 * @param contents bytes or a text
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
