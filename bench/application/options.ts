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

Measures the effects of the library on an application's other work, each in a new process:

  gaps       the delay of a timer while models generate, read prompts, are evaluated and trained
  aborts     the delay until a signal aborts these computations
  tokens     the memory of a loop that frees nothing: 8,000 tokens with a vocabulary of 65,536
  training   the same for 2,000 training steps
  steps      the same for 100,000 tokens (webgpu: 10,000) with a vocabulary of 4,096

  --only ${claims}
                                    what to measure (default: all)
  --backend ${allBackendNames}   the backends (default: wasm and webgpu for gaps and steps, all for aborts, else wasm)
  --preset ${presetNames}             the sizes for gaps and aborts (default: both for gaps, matched for aborts)
  --models ${modelNames}    the models for gaps and aborts (default: all)
  --times N                         the number of runs; prints the medians (default: 1)
  --count N                         the number of steps of a loop, or of tokens of a stream
  --help                            prints this help`;

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
