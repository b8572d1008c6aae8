import { assert, assertEquals } from "@std/assert";
import { testOnGpu } from "./gpu.ts";

interface Held {
  readonly created: readonly number[];
  readonly megabytes: readonly number[];
}

testOnGpu(
  "createWebGpu() uses constant memory over 10,000 steps, 1,000 prompts and 500 updates",
  async () => {
    const script = new URL("leaks.ts", import.meta.url).pathname;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script],
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    // A graphics driver may write to stderr without an error.
    assert(success, err);
    const parts: Readonly<Record<string, Held>> = JSON.parse(out);
    for (const [name, { created, megabytes }] of Object.entries(parts)) {
      // The first quarter fills the pool and the caches.
      assertEquals(new Set(created.slice(1)).size, 1, `${name}: ${created} buffers`);
      const growth = megabytes[3] - megabytes[1];
      assert(growth < 6, `${name}: ${megabytes} MB`);
    }
  },
);
