import { assert, assertEquals } from "@std/assert";
import { testOnGpu } from "./gpu.ts";

interface Held {
  readonly created: readonly number[];
  readonly megabytes: readonly number[];
}

testOnGpu(
  "createWebGpu() uses constant memory over 10,000 steps, 500 prompts and 300 updates",
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
      // A leak adds memory in every quarter; the allocators of the process and of the driver grow once, by megabytes.
      const growth = Math.min(...megabytes.slice(1).map((held, i) => held - megabytes[i]));
      assert(growth < 2, `${name}: ${megabytes} MB`);
    }
  },
);
