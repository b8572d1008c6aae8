/**
 * How long it takes until the library can be used: its import, from a warm module cache, and `createWasm()`. Run by
 * itself with `once`, it measures its own process and prints that as JSON; each sample is such a process.
 *
 * The import is that of `mod.ts`, which is what a package exports: Deno looks up, reads and compiles about a hundred files,
 * and looks up those that an `import()` names. What it has made JavaScript of before comes from its cache; starting Deno
 * is not counted. `createWasm()` loads one build of the kernels, compiles it and makes a backend.
 *
 * @module
 */
import { digits } from "../report/format.ts";
import { median } from "../report/statistics.ts";

/** Milliseconds until a fresh process has a backend. */
export interface Startup {
  readonly importMs: number;
  readonly createMs: number;
  /** Both together. */
  readonly totalMs: number;
}

/** The most that the total may be, in ms. */
const most = 20;

/** The medians over so many fresh processes, one after the other. */
export async function measureStartup(processes: number): Promise<Startup> {
  // The first fills the cache, and is not counted.
  await inFreshProcess();
  const samples: Startup[] = [];
  while (samples.length < processes) samples.push(await inFreshProcess());
  const middle = (part: keyof Startup) => median(samples.map((sample) => sample[part]));
  return { importMs: middle("importMs"), createMs: middle("createMs"), totalMs: middle("totalMs") };
}

/** A line for the comparison. */
export function startupText({ importMs, createMs, totalMs }: Startup): string {
  return `Import and createWasm() in a fresh process: ${digits(totalMs)} ms (${digits(importMs)} and ${
    digits(createMs)
  }), at most ${most} ms`;
}

async function inFreshProcess(): Promise<Startup> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, "once"],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) {
    throw new Error(`Cannot measure startup: process must succeed, current error is ${text.decode(stderr)}`);
  }
  return JSON.parse(text.decode(stdout));
}

async function measureOnce(): Promise<Startup> {
  // Not written out in the import: what is known before the program runs is loaded before it runs.
  const library = new URL("../../mod.ts", import.meta.url).href;
  const start = performance.now();
  const { createWasm } = await import(library);
  const imported = performance.now();
  await createWasm();
  const created = performance.now();
  return { importMs: imported - start, createMs: created - imported, totalMs: created - start };
}

if (import.meta.main) {
  console.log(
    Deno.args[0] === "once" ? JSON.stringify(await measureOnce()) : startupText(await measureStartup(21)),
  );
}
