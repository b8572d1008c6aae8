/**
 * `deno task report`: the time and the memory of a token for RWKV, LSTM and Transformer with growing contexts, and
 * how well they learn.
 *
 * Prints the tables on stdout (and the progress on stderr), and writes `report.json`, `report.md` and the figures.
 * Sections that are not measured keep the results of earlier runs. `deno task report --help` lists the options.
 * Contexts and steps are defined in `measure/subjects.ts`, timing in `measure/timer.ts`, memory in
 * `measure/memory.ts`, and training in `training/`.
 *
 * @module
 */
import { parsedOrExit } from "./measure/flags.ts";
import { openBackend } from "./measure/backends.ts";
import { toMarkdown, toText } from "./report/document.ts";
import { drawFigures } from "./report/figures.ts";
import { fullEffort, measureLatency } from "./measure/latency.ts";
import { describeMachine, describeRuntime, type Origin } from "./measure/machine.ts";
import { measureMemory } from "./measure/memory.ts";
import { emptyResult, mergeResults, readResult } from "./report/merge.ts";
import { type Options, parseOptions, usage } from "./report/options.ts";
import { countParameters, partsOf } from "./report/parts.ts";
import { startProgress } from "./report/progress.ts";
import { toRows } from "./report/rows.ts";
import type { Result, Run } from "./report/result.ts";
import { commandOf, measureTraining, missingCells } from "./training/measure.ts";
import { rowsFolder } from "./training/rows.ts";
import { leftOut, measureWkv, openKernels } from "./wkv/measure.ts";
import { writeWhole } from "./measure/write_file.ts";

async function measure({ only, presets, lengths, backends }: Options, run: Run): Promise<Result> {
  let { latency, memory } = emptyResult;
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
  return { ...emptyResult, runs: [run], latency, memory, ...wkv };
}

/** Runs the trainings, each of which writes a file of its own. */
async function trainAll({ backends, training, out }: Options, origin: Origin): Promise<void> {
  using backend = await openBackend(backends[0]);
  using progress = startProgress("Training");
  await measureTraining(training, { backend, origin, out, progress });
}

/** Runs of the scan that are estimated to take longer are left out. */
const mostMs = 200;

/** Measures the scan, on a GPU too if there is one. */
async function measureScans(backends: readonly string[]): Promise<Pick<Result, "wkv" | "wkvNotes">> {
  using progress = startProgress("Measuring the WKV scan");
  using opened = await openKernels(["webgpu", ...backends]);
  const { kernels, notes } = opened;
  return {
    wkv: await measureWkv(kernels, mostMs, progress.update),
    wkvNotes: [...notes, ...leftOut(kernels, mostMs)],
  };
}

/**
 * Creates the folder and reads its report before anything is measured, to fail early.
 */
async function openFolder(path: string): Promise<Result> {
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
    ["report.json", toRows({ ...result, training: undefined })],
    ["report.md", toMarkdown("Seqmix: time, memory and learning", parts)],
    ...await drawFigures(result),
  ]);
  for (const [name, contents] of files) await writeWhole(`${folder}/${name}`, contents);
  console.log(toText(parts));
  console.error(`Wrote ${[...files.keys()].join(", ")} to ${folder}`);
}

/** The command without its output folder, which is irrelevant to readers of the report. */
function withoutFolder(args: readonly string[]): string[] {
  return args.filter((arg, i) => !/^--out(=|$)/.test(arg) && args[i - 1] !== "--out");
}

/** Measures and writes a report, unless only named trainings are run, which are part of a larger set. */
async function run(options: Options): Promise<void> {
  const { only, training, out } = options;
  const command = withoutFolder(["deno task report", ...Deno.args]).join(" ");
  const date = new Date().toISOString();
  const origin = { date, command, machine: describeMachine(), runtime: await describeRuntime() };
  const sections = only.filter((section) => section !== "training");
  const measured = sections.length > 0 ? await measure(options, { ...origin, sections }) : undefined;
  if (only.includes("training")) await trainAll(options, origin);
  // Read again, since another run may have written meanwhile.
  if (measured) await write(mergeResults(await readResult(out), measured), out);
  else if (training.named) {
    console.error(`The results are in ${rowsFolder(out)}; --redraw makes a report from them`);
  } else await write(await readResult(out), out);
}

if (import.meta.main) {
  const options = parsedOrExit(parseOptions, usage);
  const { help, redraw, list, training, backends: [backend], out } = options;
  if (help) {
    console.log(usage);
  } else {
    const found = await openFolder(out);
    if (list) {
      const cells = missingCells(training, backend, found.training);
      for (const cell of cells) console.log(commandOf(cell, training, backend, out));
    } else if (!redraw) {
      await run(options);
    } else if (found.runs.length + found.training.length > 0) {
      await write(found, out);
    } else {
      console.error(
        `Cannot redraw report: ${out} must have a report.json or trainings, current folder has none`,
      );
      Deno.exit(1);
    }
  }
}
