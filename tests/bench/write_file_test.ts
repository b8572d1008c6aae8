import { assertEquals, assertRejects } from "@std/assert";
import { writeWhole } from "../../bench/write_file.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("writeWhole() writes bytes and texts, over what was there, and leaves nothing beside it", async () => {
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

Deno.test("writeWhole() that fails leaves the old file and nothing else", async () => {
  await withFolder(async (folder) => {
    // A folder of that name can't be replaced, so that the last step fails.
    await Deno.mkdir(`${folder}/a.bin/inside`, { recursive: true });
    await assertRejects(() => writeWhole(`${folder}/a.bin`, "new"));
    assertEquals(namesIn(folder), ["a.bin"]);
    await assertRejects(() => writeWhole(`${folder}/nowhere/a.bin`, "new"), Deno.errors.NotFound);
  });
});

Deno.test("writeWhole() killed at any moment leaves one whole file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/a.bin`;
    const script = `
      import { writeWhole } from "${new URL("../../bench/write_file.ts", import.meta.url)}";
      for (let i = 1; ; i++) {
        await writeWhole(${JSON.stringify(path)}, new Uint8Array(300_000).fill(i));
        console.log(i);
      }`;
    for (let round = 0; round < 3; round++) {
      const writer = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", `data:application/typescript,${encodeURIComponent(script)}`],
        stdout: "piped",
      }).spawn();
      const output = writer.stdout.getReader();
      await output.read();
      await new Promise((resolve) => setTimeout(resolve, 7 * round));
      writer.kill("SIGKILL");
      await writer.status;
      await output.cancel();
      const bytes = await Deno.readFile(path);
      assertEquals(bytes.length, 300_000);
      assertEquals(new Set(bytes).size, 1);
    }
  });
});
