import { assertEquals, assertRejects } from "@std/assert";
import { writeWhole } from "../../bench/measure/write_file.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("writeWhole() writes bytes and strings over existing files, and leaves no other file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.bin`;
    await writeWhole(path, "a long text that was there before");
    await writeWhole(path, Uint8Array.of(1, 2, 3));
    assertEquals(await Deno.readFile(path), Uint8Array.of(1, 2, 3));
    await writeWhole(path, "ä");
    assertEquals(await Deno.readTextFile(path), "ä");
    assertEquals(namesIn(folder), ["a.bin"]);
  });
});

Deno.test("writeWhole() keeps the old file, and no other, if it fails", async () => {
  await withFolder(async (folder) => {
    // A file can't replace a folder of that name, so the last step fails.
    await Deno.mkdir(`${folder}/a.bin/inside`, { recursive: true });
    await assertRejects(() => writeWhole(`${folder}/a.bin`, "new"));
    assertEquals(namesIn(folder), ["a.bin"]);
    await assertRejects(() => writeWhole(`${folder}/nowhere/a.bin`, "new"), Deno.errors.NotFound);
  });
});

Deno.test("writeWhole() exposes only whole files, to concurrent readers and after the process was killed", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.bin`, size = 1e6;
    await writeWhole(path, new Uint8Array(size));
    const seen = new Set<string>();
    let writing = true;
    const write = async () => {
      for (let i = 1; i <= 20; i++) await writeWhole(path, new Uint8Array(size).fill(i));
      writing = false;
    };
    const look = async () => {
      while (writing) {
        const bytes = await Deno.readFile(path);
        seen.add(
          `${bytes.length} bytes, ${bytes.every((byte) => byte === bytes[0]) ? "one" : "several"} at once`,
        );
      }
    };
    await Promise.all([write(), look()]);
    assertEquals([...seen], [`${size} bytes, one at once`]);
  });
});
