/**
 * The report's command line.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { allBackendNames, backendNames, checkBackendName } from "../measure/backends.ts";
import { type ModelName, modelNames, type PresetName, presetNames } from "../measure/subjects.ts";
import { articleEpochs, articleRate, rates as gridRates } from "../training/comparison.ts";
import type { TrainingPlan } from "../training/measure.ts";

export type Section = "latency" | "memory" | "wkv" | "training";

export interface Options {
  readonly help: boolean;
  /** Measure nothing, and draw the report that is there anew. */
  readonly redraw: boolean;
  /** Measure nothing, and print the commands of the trainings that are missing. */
  readonly list: boolean;
  readonly only: readonly Section[];
  /** Of latency and memory; the trainings' are in their plan. */
  readonly presets: readonly PresetName[];
  /** In ascending order. */
  readonly lengths: readonly number[];
  readonly backends: readonly string[];
  /** Trainings run on the first of the backends. */
  readonly training: TrainingPlan;
  readonly out: string;
}

const sections: readonly Section[] = ["latency", "memory", "wkv", "training"];
/** What is measured where nothing is asked for: training takes longer than all the rest. */
const quick: readonly Section[] = ["latency", "memory", "wkv"];
const defaultLengths: readonly number[] = [32, 64, 128, 256];
/** A context that is longer fills the memory of a small machine with its caches. */
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
 * Reads the command line.
 *
 * @throws {RangeError} on a flag that there is not, or a value that its flag does not take
 */
export function parseOptions(args: readonly string[]): Options {
  const action = "read command line";
  const flags = parseArgs([...args], {
    boolean: ["help", "redraw", "list"],
    string: ["only", "preset", "lengths", "backend", "out", "models", "seed", "rate", "epochs", "workers"],
    unknown: (arg: string) => {
      throw new RangeError(`Cannot ${action}: flags must be those of --help, current flag is ${arg}`);
    },
  });
  // What stands after a "--" is not asked about as unknown.
  if (flags._.length > 0) {
    throw new RangeError(`Cannot ${action}: flags must be those of --help, current flag is -- ${flags._[0]}`);
  }
  const only = listOf(action, "only", flags.only) ?? quick;
  for (const section of only) checkChoice(action, "only", section, sections);
  const presets = listOf(action, "preset", flags.preset) as readonly PresetName[] | undefined;
  for (const preset of presets ?? []) checkChoice(action, "preset", preset, presetNames);
  const models = listOf(action, "models", flags.models) ?? modelNames;
  for (const model of models) checkChoice(action, "models", model, modelNames);
  const backends = listOf(action, "backend", flags.backend) ?? backendNames;
  for (const backend of backends) checkBackendName(action, backend);
  const lengths = listOf(action, "lengths", flags.lengths)?.map(Number) ?? defaultLengths;
  for (const length of lengths) {
    if (!(Number.isInteger(length) && length >= 1 && length <= longest)) {
      throw new RangeError(
        `Cannot ${action}: --lengths must be integers from 1 to ${longest}, current value is ${flags.lengths}`,
      );
    }
  }
  const seeds = listOf(action, "seed", flags.seed)?.map((seed) => countOf(action, "seed", seed)!);
  const rates = listOf(action, "rate", flags.rate)?.map(Number);
  if (rates?.some((rate) => !(rate > 0 && rate < Infinity))) {
    throw new RangeError(
      `Cannot ${action}: --rate must be numbers above 0, current value is ${JSON.stringify(flags.rate)}`,
    );
  }
  if (flags.out === "") {
    throw new RangeError(`Cannot ${action}: --out must be a folder, current value is empty`);
  }
  return {
    help: flags.help,
    redraw: flags.redraw,
    list: flags.list,
    only: only as readonly Section[],
    presets: presets ?? presetNames,
    lengths: [...new Set(lengths)].sort((a, b) => a - b),
    backends,
    training: {
      presets: presets ?? ["matched"],
      models: models as readonly ModelName[],
      named: (seeds || rates) && { seeds: seeds ?? [1], rates: rates ?? [articleRate] },
      epochs: countOf(action, "epochs", flags.epochs) ?? articleEpochs,
      workers: countOf(action, "workers", flags.workers),
    },
    out: flags.out ?? "results",
  };
}

/** A number of at least 1; undefined where the flag is not given. */
export function countOf(action: string, flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const count = Number(value);
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw new RangeError(
      `Cannot ${action}: --${flag} must be a whole number of at least 1, current value is ${
        JSON.stringify(value)
      }`,
    );
  }
  return count;
}

/** The values between the commas, each once; undefined where the flag is not given. */
export function listOf(
  action: string,
  flag: string,
  value: string | undefined,
): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const values = value.split(",").map((each) => each.trim());
  if (values.includes("")) {
    throw new RangeError(
      `Cannot ${action}: --${flag} must be values with commas between them, current value is ${
        JSON.stringify(value)
      }`,
    );
  }
  return [...new Set(values)];
}

/** Checks that a value of a flag is one of those that it takes. */
export function checkChoice(action: string, flag: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) {
    throw new RangeError(
      `Cannot ${action}: --${flag} must be of ${choices.join(", ")}, current value is ${
        JSON.stringify(value)
      }`,
    );
  }
}
