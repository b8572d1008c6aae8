/** A new process that measures the start of the library in its argument, and prints it as JSON. */
import type { Startup } from "./startup.ts";

// A dynamic import, since static imports are loaded before the program runs.
const [library] = Deno.args;
const start = performance.now();
const { createWasm } = await import(library);
const imported = performance.now();
await createWasm();
const created = performance.now();
const startup: Startup = {
  importMs: imported - start,
  createMs: created - imported,
  totalMs: created - start,
};
console.log(JSON.stringify(startup));
