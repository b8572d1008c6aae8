/**
 * Parses the report's command line.
 *
 * @module
 */
import { allBackendNames, backendNames } from "../measure/backends.ts";
import { choicesOf, countOf, listOf, readFlags, wrong } from "../measure/flags.ts";
import { modelNames, type PresetName, presetNames } from "../measure/subjects.ts";
import { articleEpochs, articleRate, rates as gridRates } from "../training/comparison.ts";
import type { TrainingPlan } from "../training/measure.ts";

export type Section = "latency" | "memory" | "wkv" | "training";

export interface Options {
  readonly help: boolean;
  /** Measures nothing, and draws the existing report again. */
  readonly redraw: boolean;
  /** Measures nothing, and prints the commands of the missing trainings. */
  readonly list: boolean;
  readonly only: readonly Section[];
  /** For latency and memory; trainings have their own in the plan. */
  readonly presets: readonly PresetName[];
  /** In ascending order. */
  readonly lengths: readonly number[];
  readonly backends: readonly string[];
  /** Trainings run on the first of the backends. */
  readonly training: TrainingPlan;
  readonly out: string;
}

const sections: readonly Section[] = ["latency", "memory", "wkv", "training"];
/** The default sections: training takes longer than all the others. */
const quick: readonly Section[] = ["latency", "memory", "wkv"];
const defaultLengths: readonly number[] = [32, 64, 128, 256];
/** Longer contexts would fill the memory of a small machine with their caches. */
const longest = 65_536;

export const usage = `Usage: deno task report [options]

Measures the time and the memory of a token for RWKV, LSTM and Transformer, the WKV scan, and how well the three models
learn; prints the tables, and writes report.json, report.md and figures. Sections that are not measured keep the results
of an existing report.

${line(`--only ${sections}`, "the sections to measure (default: all but training)")}
${line(`--preset ${presetNames}`, "the sizes of the models (default: both; for training, matched)")}
${
  line(
    `--lengths ${defaultLengths}`,
    `the lengths of the context in tokens, from 1 to ${longest} (default: these)`,
  )
}
${line(`--backend ${allBackendNames}`, `the backends (default: ${backendNames}); training uses the first`)}
${line("--out DIR", "the folder of the report (default: results)")}
${line("--redraw", "measures nothing; writes report.md and the figures from the results in DIR")}
${line("--help", "prints this help")}

For training, which writes a file for each training to DIR/training, and skips trainings whose file exists:

${line(`--models ${modelNames}`, "the models (default: all)")}
${line("--seed 1,2,3", "the seeds of sequences and initial values (default: 1 if --rate is given)")}
${line(`--rate ${gridRates}`, `the highest learning rates (default: ${articleRate} if --seed is given)`)}
${line("--list", "trains nothing; prints a command for each missing training")}
${line("--epochs N", `the number of epochs (default: ${articleEpochs})`)}
${line("--workers N", "the number of workers (default: one per core, at most 4; 1 on webgpu)")}
Without --seed and --rate, each model is trained at all rates with one seed, and then at its best rate with more seeds.
With them, only these trainings are run, and no report is written: collect the files of all machines in one DIR/training,
and run --redraw. An interrupted training resumes with the same command.`;

function line(flag: string, meaning: string): string {
  const gap = flag.length < 34 ? "" : `\n${" ".repeat(36)}`;
  return `  ${flag.padEnd(34)}${gap}${meaning}`;
}

/**
 * Parses the command line.
 *
 * @throws {RangeError} on an unknown flag, or an invalid value
 */
export function parseOptions(args: readonly string[]): Options {
  const flags = readFlags(args, ["help", "redraw", "list"], [
    ...["only", "preset", "lengths", "backend", "out"] as const,
    ...["models", "seed", "rate", "epochs", "workers"] as const,
  ]);
  const only = choicesOf("only", flags.only, sections) ?? quick;
  const presets = choicesOf("preset", flags.preset, presetNames);
  const models = choicesOf("models", flags.models, modelNames) ?? modelNames;
  const backends = choicesOf("backend", flags.backend, allBackendNames) ?? backendNames;
  const lengths = listOf("lengths", flags.lengths)?.map(Number) ?? defaultLengths;
  for (const length of lengths) {
    if (!(Number.isInteger(length) && length >= 1 && length <= longest)) {
      throw wrong("lengths", `integers from 1 to ${longest}`, flags.lengths!);
    }
  }
  const seeds = listOf("seed", flags.seed)?.map((seed) => countOf("seed", seed)!);
  const rates = listOf("rate", flags.rate)?.map(Number);
  if (rates?.some((rate) => !(rate > 0 && rate < Infinity))) {
    throw wrong("rate", "numbers above 0", flags.rate!);
  }
  if (flags.out === "") throw wrong("out", "a folder", flags.out);
  return {
    help: flags.help,
    redraw: flags.redraw,
    list: flags.list,
    only,
    presets: presets ?? presetNames,
    lengths: [...new Set(lengths)].sort((a, b) => a - b),
    backends,
    training: {
      presets: presets ?? ["matched"],
      models,
      named: (seeds || rates) && { seeds: seeds ?? [1], rates: rates ?? [articleRate] },
      epochs: countOf("epochs", flags.epochs) ?? articleEpochs,
      workers: countOf("workers", flags.workers),
    },
    out: flags.out ?? "results",
  };
}
