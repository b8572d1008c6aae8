/**
 * A training, and how it ended.
 *
 * @module
 */
import type { Origin } from "../measure/machine.ts";
import type { ModelName, PresetName } from "../measure/subjects.ts";
import type { KindAccuracy } from "./dataset.ts";

/** One training: all that decides how it goes, but for the backend. */
export interface TrainingCell {
  readonly preset: PresetName;
  readonly model: ModelName;
  readonly seed: number;
  /** The highest learning rate. */
  readonly rate: number;
  readonly epochs: number;
}

/** The name of a training's files. */
export function nameOf({ preset, model, seed, rate, epochs }: TrainingCell, backend: string): string {
  return `${preset}-${model}-seed${seed}-rate${rate}-epochs${epochs}-${backend}`;
}

/** A point of a learning curve. */
export interface CurvePoint {
  readonly epoch: number;
  /** The mean loss of a token over the epoch, while it was trained on. */
  readonly trainLoss: number;
  readonly testLoss: number;
  /** On the test sequences, 0 to 1. */
  readonly accuracy: number;
}

/** How a training ended; losses are in nats a token. */
export interface TrainingRow extends TrainingCell {
  readonly backend: string;
  readonly workers: number;
  /** Of the command that finished it. */
  readonly origin: Origin;
  readonly parameters: number;
  readonly trainSequences: number;
  readonly testSequences: number;
  /** Those of the last epoch, as in `curve`. */
  readonly trainLoss: number;
  readonly testLoss: number;
  readonly accuracy: number;
  /** On the validation sequences, after the last epoch. */
  readonly validationLoss: number;
  readonly validationAccuracy: number;
  /** The best that is possible on the same test sequences. */
  readonly ceilingAccuracy: number;
  readonly ceilingLoss: number;
  readonly ngramOrder: number;
  readonly ngramAccuracy: number;
  readonly ngramLoss: number;
  readonly accuracyByKind: KindAccuracy;
  readonly ceilingByKind: KindAccuracy;
  readonly ngramByKind: KindAccuracy;
  /** All of it, evaluation included. */
  readonly seconds: number;
  /** Without evaluation. */
  readonly tokensPerS: number;
  readonly curve: readonly CurvePoint[];
}
