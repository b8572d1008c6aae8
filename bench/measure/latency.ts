/**
 * Measures the time of a token.
 *
 * @module
 */
import type { Backend } from "@seqmix/seqmix";
import { median, p99 } from "./statistics.ts";
import {
  type Cell,
  checkedSteps,
  makeSubject,
  modelNames,
  type PresetName,
  taskSequence,
  ways,
} from "./subjects.ts";
import { clocked, type Effort, type Progress, roundRobin, type Timed } from "./timer.ts";

/** The time of a token in a cell. */
export interface LatencyRow extends Cell {
  readonly medianMs: number;
  /** null if there are fewer than 100 samples. */
  readonly p99Ms: number | null;
  readonly samples: number;
}

/** Enough samples for a p99 of everything in the default report. */
export const fullEffort: Effort = { warmUpMs: 60, leadInMs: 2, sampleMs: 0.1, rounds: 200, budgetMs: 12_000 };

/** A token of a cell, ready to be timed. */
export interface Token extends Timed {
  readonly cell: Cell;
}

/** A token of every model, mode and length, whose logits were checked against a single pass over the whole context. */
export async function checkedTokens(
  backend: Backend,
  preset: PresetName,
  lengths: readonly number[],
): Promise<Token[]> {
  const tokens: Token[] = [];
  for (const model of modelNames) {
    const subject = await makeSubject(preset, model, backend);
    const modes = ways.filter((way) => way.model === model).map((way) => way.mode);
    for (const length of lengths) {
      const name = `${preset} ${model} on ${backend.name} at ${length}`;
      const steps = await checkedSteps(name, subject, modes, taskSequence(length));
      steps.forEach((step, i) => {
        const cell = { preset, model, mode: modes[i], backend: backend.name, length };
        tokens.push({ cell, ...clocked((times) => step.run(times)) });
      });
    }
  }
  return tokens;
}

/** Combines tokens and their samples into rows. */
export function latencyRows(
  tokens: readonly Token[],
  samples: readonly (readonly number[])[],
): LatencyRow[] {
  return tokens.map(({ cell }, i) => ({
    ...cell,
    medianMs: median(samples[i]),
    p99Ms: p99(samples[i]),
    samples: samples[i].length,
  }));
}

/** Times a token of every model, mode and length, on all backends in one run. */
export async function measureLatency(
  backends: readonly Backend[],
  presets: readonly PresetName[],
  lengths: readonly number[],
  effort: Effort,
  progress?: Progress,
): Promise<LatencyRow[]> {
  const tokens: Token[] = [];
  for (const preset of presets) {
    for (const backend of backends) tokens.push(...await checkedTokens(backend, preset, lengths));
  }
  return latencyRows(tokens, await roundRobin(tokens, effort, progress));
}
