/**
 * How long it takes until the library can be used: its import, from a warm module cache, and `createWasm()`.
 *
 * The import is that of `mod.ts`, which is what a package exports: Deno looks up, reads and compiles about a hundred files,
 * and looks up those that an `import()` names. What it has made JavaScript of before comes from its cache; starting Deno
 * is not counted. `createWasm()` loads one build of the kernels, compiles it and makes a backend.
 *
 * @module
 */
import { denoRun, outputOf } from "../measure/process.ts";
import { median } from "../measure/statistics.ts";
import type { Part } from "../report/document.ts";
import { digits } from "../report/format.ts";

/** Milliseconds until a fresh process has a backend. */
export interface Startup {
  readonly importMs: number;
  readonly createMs: number;
  /** Both together. */
  readonly totalMs: number;
}

/** One fresh process that starts a library, by the file that is imported. */
export async function startOnce(library: URL): Promise<Startup> {
  return JSON.parse(await outputOf(denoRun(new URL("startup_process.ts", import.meta.url), library.href)));
}

/** The medians over so many fresh processes, one after the other. */
export async function measureStartup(processes: number): Promise<Startup> {
  const library = new URL("../../mod.ts", import.meta.url);
  // The first fills the cache, and is not counted.
  await startOnce(library);
  const samples: Startup[] = [];
  while (samples.length < processes) samples.push(await startOnce(library));
  const middle = (part: keyof Startup) => median(samples.map((sample) => sample[part]));
  return { importMs: middle("importMs"), createMs: middle("createMs"), totalMs: middle("totalMs") };
}

/** A sentence for the comparison. */
export function startupPart({ importMs, createMs, totalMs }: Startup): Part {
  const [total, imported, created] = [totalMs, importMs, createMs].map(digits);
  return {
    title: "Start-up",
    notes: [`Import and createWasm() in a fresh process: ${total} ms (${imported} and ${created}).`],
  };
}
