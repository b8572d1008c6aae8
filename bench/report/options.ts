/**
 * The report's command line.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { allBackendNames, backendNames, checkBackendName } from "../backends.ts";
import { type PresetName, presetNames } from "../subjects.ts";

export type Section = "latency" | "memory" | "wkv";

export interface Options {
  readonly help: boolean;
  readonly only: readonly Section[];
  readonly presets: readonly PresetName[];
  /** In ascending order. */
  readonly lengths: readonly number[];
  readonly backends: readonly string[];
  readonly out: string;
}

const sections: readonly Section[] = ["latency", "memory", "wkv"];
/** Sections of the report that are not there yet. */
const later: readonly string[] = ["training"];
const defaultLengths: readonly number[] = [32, 64, 128, 256];
/** A context that is longer fills the memory of a small machine with its caches. */
const longest = 65_536;

export const usage = `Usage: deno task report [options]

Measures the time and the memory of a token for RWKV, LSTM and Transformer, and the WKV scan over time, prints the
tables, and writes report.json, report.md and figures.

${line(`--only ${sections}`, "what to measure (default: all)")}
${line(`--preset ${presetNames}`, "which sizes of the models (default: all)")}
${line(`--lengths ${defaultLengths}`, `tokens of context, from 1 to ${longest} (default: these)`)}
${line(`--backend ${allBackendNames}`, `where to run (default: ${backendNames})`)}
${line("--out DIR", "where to write (default: results)")}
${line("--help", "prints this")}`;

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
    boolean: ["help"],
    string: ["only", "preset", "lengths", "backend", "out"],
    unknown: (arg: string) => {
      throw new RangeError(`Cannot ${action}: flags must be those of --help, current flag is ${arg}`);
    },
  });
  // What stands after a "--" is not asked about as unknown.
  if (flags._.length > 0) {
    throw new RangeError(`Cannot ${action}: flags must be those of --help, current flag is -- ${flags._[0]}`);
  }
  const only = listOf(action, "only", flags.only) ?? sections;
  for (const section of only) {
    if (later.includes(section)) {
      throw new RangeError(
        `Cannot ${action}: --only must be of ${
          sections.join(", ")
        }, current ${section} is not part of this version`,
      );
    }
    checkChoice(action, "only", section, sections);
  }
  const presets = listOf(action, "preset", flags.preset) ?? presetNames;
  for (const preset of presets) checkChoice(action, "preset", preset, presetNames);
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
  if (flags.out === "") {
    throw new RangeError(`Cannot ${action}: --out must be a folder, current value is empty`);
  }
  return {
    help: flags.help,
    only: only as readonly Section[],
    presets: presets as readonly PresetName[],
    lengths: [...new Set(lengths)].sort((a, b) => a - b),
    backends,
    out: flags.out ?? "results",
  };
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
