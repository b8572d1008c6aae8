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

Measures the time and the memory of a token for RWKV, LSTM and Transformer, the WKV scan over time, and how well the
three learn; prints the tables, and writes report.json, report.md and figures. What is not measured stays as it is in
the report that is there already.

${line(`--only ${sections}`, "what to measure (default: all but training)")}
${line(`--preset ${presetNames}`, "which sizes of the models (default: all; of training: matched)")}
${line(`--lengths ${defaultLengths}`, `tokens of context, from 1 to ${longest} (default: these)`)}
${line(`--backend ${allBackendNames}`, `where to run (default: ${backendNames}); training: on the first`)}
${line("--out DIR", "where to write (default: results)")}
${line("--redraw", "measures nothing: writes report.md and the figures anew from what is in DIR")}
${line("--help", "prints this")}

For training, which leaves a file of each training in DIR/training and repeats none that is there:

${line(`--models ${modelNames}`, "which models (default: all)")}
${line("--seed 1,2,3", "of sequences and initial values (default: 1, with --rate)")}
${line(`--rate ${gridRates}`, `the highest learning rates (default: ${articleRate}, with --seed)`)}
${line("--list", "trains nothing: prints a command for each training that is missing")}
${line("--epochs N", `how often to go through the sequences (default: ${articleEpochs})`)}
${line("--workers N", "that share each batch (default: one a core, 4 at most; on webgpu 1)")}
Without --seed and --rate, each model is trained at all of these rates, and on more seeds at the one that is best for it.
With them it is those trainings alone, which are parts of a report and write none: put the files of several machines into
one DIR/training, and --redraw. A training that was interrupted goes on where it was with the same command.`;

function line(flag: string, meaning: string): string {
  return `  ${flag.padEnd(34)}${meaning}`;
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
