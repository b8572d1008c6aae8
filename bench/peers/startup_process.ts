/** A fresh process that measures how it starts the library of its argument, and prints it as JSON. */
import type { Startup } from "./startup.ts";

// Not written out in the import: what is known before the program runs is loaded before it runs.
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
