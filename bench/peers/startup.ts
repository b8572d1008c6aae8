/**
 * Measures the time until the library can be used: its import, from a warm module cache, and `createWasm()`.
 *
 * The import is that of `mod.ts`, which a package exports: Deno resolves, reads and compiles about a hundred files,
 * and resolves those named by an `import()`. Emitted JavaScript is cached; the start of Deno itself is not counted.
 * `createWasm()` loads and compiles one build of the kernels and creates a backend.
 *
 * @module
 */
import { denoRun, outputOf } from "../measure/process.ts";
import { median } from "../measure/statistics.ts";
import type { Part } from "../report/document.ts";
import { digits } from "../report/format.ts";

/** The milliseconds until a new process has a backend. */
export interface Startup {
  readonly importMs: number;
  readonly createMs: number;
  /** The sum of both. */
  readonly totalMs: number;
}

/** Starts the library in a new process, given the file to import. */
export async function startOnce(library: URL): Promise<Startup> {
  return JSON.parse(await outputOf(denoRun(new URL("startup_process.ts", import.meta.url), library.href)));
}

/** The medians over several new processes, one after another. */
export async function measureStartup(processes: number): Promise<Startup> {
  const library = new URL("../../mod.ts", import.meta.url);
  // The first fills the cache, and is not counted.
  await startOnce(library);
  const samples: Startup[] = [];
  while (samples.length < processes) samples.push(await startOnce(library));
  const middle = (part: keyof Startup) => median(samples.map((sample) => sample[part]));
  return { importMs: middle("importMs"), createMs: middle("createMs"), totalMs: middle("totalMs") };
}

/** A sentence about the start-up time. */
export function startupPart({ importMs, createMs, totalMs }: Startup): Part {
  const [total, imported, created] = [totalMs, importMs, createMs].map(digits);
  return {
    title: "Start-up",
    notes: [`Import and createWasm() in a new process: ${total} ms (${imported} and ${created}).`],
  };
}
