/**
 * Parses the command line.
 *
 * @module
 */
import { allBackendNames } from "../measure/backends.ts";
import { choicesOf, countOf, readFlags } from "../measure/flags.ts";
import { type ModelName, modelNames, type PresetName, presetNames } from "../measure/subjects.ts";
import type { Claim } from "./request.ts";

export interface Options {
  readonly help: boolean;
  readonly only: readonly Claim[];
  /** null: the defaults of each claim. */
  readonly backends: readonly string[] | null;
  readonly presets: readonly PresetName[] | null;
  readonly models: readonly ModelName[];
  readonly times: number;
  /** null: the default of each claim. */
  readonly count: number | null;
}

const claims: readonly Claim[] = ["gaps", "aborts", "tokens", "training", "steps"];

export const usage = `Usage: deno task application [options]

Measures what an application feels of the library beside its own work, each in a fresh process:

  gaps       how long a timer waits while models generate, read prompts, are evaluated and trained
  aborts     how soon a signal ends them
  tokens     memory of a loop that frees nothing: 8,000 tokens at a vocabulary of 65,536
  training   the same: 2,000 training steps
  steps      the same: 100,000 tokens (webgpu: 10,000) at a vocabulary of 4,096

  --only ${claims}
                                    what to measure (default: all)
  --backend ${allBackendNames}   where (default: gaps and steps: wasm and webgpu, aborts: all, others: wasm)
  --preset ${presetNames}             sizes for gaps and aborts (default: both; aborts: matched)
  --models ${modelNames}  which, for gaps and aborts (default: all)
  --times N                         runs, of which the medians are printed (default: 1)
  --count N                         steps of a loop, or tokens of a stream, instead of the above
  --help                            prints this`;

/**
 * Parses the command line.
 *
 * @throws {RangeError} on an unknown flag, or an invalid value
 */
export function parseOptions(args: readonly string[]): Options {
  const flags = readFlags(args, ["help"], ["only", "backend", "preset", "models", "times", "count"]);
  return {
    help: flags.help,
    only: choicesOf("only", flags.only, claims) ?? claims,
    backends: choicesOf("backend", flags.backend, allBackendNames) ?? null,
    presets: choicesOf("preset", flags.preset, presetNames) ?? null,
    models: choicesOf("models", flags.models, modelNames) ?? modelNames,
    times: countOf("times", flags.times) ?? 1,
    count: countOf("count", flags.count) ?? null,
  };
}
