/**
 * `deno task report`: the time and the memory of a token for RWKV, LSTM and Transformer, at growing contexts, and how well
 * they learn.
 *
 * Prints the tables on stdout (and how far it is on stderr), and writes `report.json`, `report.md` and the figures; what
 * it does not measure stays as an earlier run left it. `deno task report --help` lists the options. What a context is
 * and what a step of each kind does: `measure/subjects.ts`; how the time is taken: `measure/timer.ts`; what memory counts:
 * `measure/memory.ts`; what is trained on what: `training/`.
 *
 * @module
 */
import { openBackend } from "./measure/backends.ts";
import { toMarkdown, toText } from "./report/document.ts";
import { drawFigures } from "./report/figures.ts";
import { fullEffort, measureLatency } from "./measure/latency.ts";
import { describeMachine, describeRuntime } from "./measure/machine.ts";
import { measureMemory } from "./measure/memory.ts";
import { mergeResults, readResult } from "./report/merge.ts";
import { type Options, parseOptions, usage } from "./report/options.ts";
import { countParameters, partsOf } from "./report/parts.ts";
import { startProgress } from "./report/progress.ts";
import { toRows } from "./report/rows.ts";
import type { Result } from "./report/result.ts";
import { checkpointNames, measureTraining } from "./training/measure.ts";
import { leftOut, measureWkv, openKernels } from "./wkv/measure.ts";
import { writeWhole } from "./measure/write_file.ts";

async function measure(options: Options, command: string): Promise<Result> {
  const { only, presets, lengths, backends } = options;
  const date = new Date().toISOString();
  const machine = describeMachine(), runtime = await describeRuntime();
  const runs = [{ date, command, machine, runtime, sections: only }];
  let latency: Result["latency"] = [], memory: Result["memory"] = [];
  if (only.includes("latency")) {
    using progress = startProgress("Measuring time");
    const opened = await Promise.all(backends.map(openBackend));
    latency = await measureLatency(opened, presets, lengths, fullEffort, progress.update);
    opened.forEach((backend) => backend[Symbol.dispose]());
  }
  if (only.includes("memory")) {
    using progress = startProgress("Measuring memory");
    memory = await measureMemory(backends, presets, lengths, progress.update);
  }
  const wkv = only.includes("wkv") ? await measureScans(backends) : { wkv: [], wkvNotes: [] };
  const training = only.includes("training") ? await trainAll(options, date) : [];
  return { machine, runtime, date, runs, latency, memory, training, ...wkv };
}

/** The trainings, each of which keeps a checkpoint until the whole report is written. */
async function trainAll({ backends, training, out }: Options, date: string): Promise<Result["training"]> {
  const checkpoints = checkpointFolder(out);
  await Deno.mkdir(checkpoints, { recursive: true });
  using backend = await openBackend(backends[0]);
  using progress = startProgress("Training");
  return await measureTraining(training, { backend, date, checkpoints }, progress);
}

function checkpointFolder(out: string): string {
  return `${out}/checkpoints`;
}

/** Once the report has their results, so that the same command begins anew. */
async function removeCheckpoints({ backends, training, out }: Options): Promise<void> {
  const folder = checkpointFolder(out);
  for (const name of checkpointNames(training, backends[0])) await Deno.remove(`${folder}/${name}`);
  // Others' checkpoints stay.
  await Deno.remove(folder).catch(() => {});
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

/** The command as the report has it: where it was written is nobody else's concern. */
function commandOf(args: readonly string[]): string {
  const rest = args.filter((arg, i) => !/^--out(=|$)/.test(arg) && args[i - 1] !== "--out");
  return ["deno task report", ...rest].join(" ");
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

/**
 * Makes the folder and reads the report in it before anything is measured, so that what stands in the way is known at once.
 */
async function openFolder(path: string): Promise<Result | undefined> {
  try {
    await Deno.mkdir(path, { recursive: true });
    return await readResult(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    console.error(
      `Cannot write report: --out must be a folder for a report, current folder ${path} fails with ${reason}`,
    );
    Deno.exit(1);
  }
}

/** Writes the report and its figures, and prints its tables. */
async function write(result: Result, folder: string): Promise<void> {
  const parts = partsOf(result, countParameters());
  const files = new Map([
    ["report.json", toRows(result)],
    ["report.md", toMarkdown("Seqmix: time, memory and learning", parts)],
    ...await drawFigures(result),
  ]);
  for (const [name, contents] of files) await writeWhole(`${folder}/${name}`, contents);
  console.log(toText(parts));
  console.error(`Wrote ${[...files.keys()].join(", ")} to ${folder}`);
}

if (import.meta.main) {
  const options = optionsOf(Deno.args);
  const { help, redraw, only, out } = options;
  if (help) {
    console.log(usage);
  } else {
    const before = await openFolder(out);
    if (redraw && before === undefined) {
      console.error(`Cannot redraw report: ${out} must have a report.json, current folder has none`);
      Deno.exit(1);
    }
    if (redraw) {
      await write(before!, out);
    } else {
      const measured = await measure(options, commandOf(Deno.args));
      // Read again: another run may have written meanwhile.
      await write(mergeResults(await readResult(out), measured), out);
      if (only.includes("training")) await removeCheckpoints(options);
    }
  }
}
