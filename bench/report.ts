/**
 * `deno task report`: the time and the memory of a token for RWKV, LSTM and Transformer, at growing contexts.
 *
 * Prints the tables on stdout (and how far it is on stderr), and writes `report.json`, `report.md` and the figures.
 * `deno task report --help` lists the options. What a context is and what a step of each kind does: `subjects.ts`; how
 * the time is taken: `report/interleave.ts`; what memory counts: `count_memory.ts`.
 *
 * @module
 */
import { openBackend } from "./backends.ts";
import { toMarkdown, toText } from "./report/document.ts";
import { drawFigures } from "./report/figures.ts";
import { fullEffort } from "./report/interleave.ts";
import { measureLatency } from "./report/latency.ts";
import { describeMachine, describeRuntime } from "./report/machine.ts";
import { measureMemory } from "./report/memory.ts";
import { type Options, parseOptions, usage } from "./report/options.ts";
import { countParameters, partsOf } from "./report/parts.ts";
import { startProgress } from "./report/progress.ts";
import type { Result } from "./report/result.ts";
import { leftOut, measureWkv, openKernels } from "./wkv/measure.ts";

async function measure({ only, presets, lengths, backends }: Options): Promise<Result> {
  const date = new Date().toISOString();
  const machine = describeMachine(), runtime = await describeRuntime();
  let times: Pick<Result, "latency" | "limits"> = { latency: [], limits: [] };
  let memory: Result["memory"] = [];
  if (only.includes("latency")) {
    using progress = startProgress("Measuring time");
    const opened = await Promise.all(backends.map(openBackend));
    times = await measureLatency(opened, presets, lengths, fullEffort, progress.update);
    opened.forEach((backend) => backend[Symbol.dispose]());
  }
  if (only.includes("memory")) {
    using progress = startProgress("Measuring memory");
    memory = await measureMemory(backends, presets, lengths, progress.update);
  }
  const wkv = only.includes("wkv") ? await measureScans(backends) : { wkv: [], wkvNotes: [] };
  return { machine, runtime, date, ...times, memory, training: [], ...wkv };
}

/** What is estimated to take longer for a run of the scan is left out. */
const mostMs = 200;

/** The scan, on a GPU too where there is one. */
async function measureScans(backends: readonly string[]): Promise<Pick<Result, "wkv" | "wkvNotes">> {
  using progress = startProgress("Measuring the WKV scan");
  using opened = await openKernels(["webgpu", ...backends]);
  const { kernels, notes } = opened;
  return {
    wkv: await measureWkv(kernels, mostMs, progress.update),
    wkvNotes: [...notes, ...leftOut(kernels, mostMs)],
  };
}

/** Reads the command line; on a mistake in it, says which and ends the process. */
function optionsOf(args: readonly string[]): Options {
  try {
    return parseOptions(args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    Deno.exit(2);
  }
}

/** Makes the folder before anything is measured, so that one that can't be made is known at once. */
async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    console.error(
      `Cannot write report: --out must be a folder that can be made, current folder fails with ${reason}`,
    );
    Deno.exit(1);
  }
}

if (import.meta.main) {
  const options = optionsOf(Deno.args);
  if (options.help) {
    console.log(usage);
  } else {
    await makeFolder(options.out);
    const result = await measure(options);
    const command = ["deno task report", ...Deno.args].join(" ");
    const parts = partsOf(result, options.presets, countParameters(), command);
    const files = new Map([
      ["report.json", JSON.stringify(result, null, 2) + "\n"],
      ["report.md", toMarkdown("Seqmix: time and memory of a token", parts)],
      ...await drawFigures(result),
    ]);
    for (const [name, text] of files) await Deno.writeTextFile(`${options.out}/${name}`, text);
    console.log(toText(parts));
    console.error(`Wrote ${[...files.keys()].join(", ")} to ${options.out}`);
  }
}
