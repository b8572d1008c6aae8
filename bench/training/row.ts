/**
 * The definition and the result of a training.
 *
 * @module
 */
import type { Origin } from "../measure/machine.ts";
import type { ModelName, PresetName } from "../measure/subjects.ts";
import type { KindAccuracy } from "./dataset.ts";

/** A training: everything that determines its result, except the backend. */
export interface TrainingCell {
  readonly preset: PresetName;
  readonly model: ModelName;
  readonly seed: number;
  /** The highest learning rate. */
  readonly rate: number;
  readonly epochs: number;
}

/** The file name of a training. */
export function nameOf({ preset, model, seed, rate, epochs }: TrainingCell, backend: string): string {
  return `${preset}-${model}-seed${seed}-rate${rate}-epochs${epochs}-${backend}`;
}

/** A point of a learning curve. */
export interface CurvePoint {
  readonly epoch: number;
  /** The mean loss of a token over the epoch, measured during training. */
  readonly trainLoss: number;
  readonly testLoss: number;
  /** On the test sequences, 0 to 1. */
  readonly accuracy: number;
}

/** The result of a training; losses are in nats per token. */
export interface TrainingRow extends TrainingCell {
  readonly backend: string;
  readonly workers: number;
  /** The origin of the command that finished it. */
  readonly origin: Origin;
  readonly parameters: number;
  readonly trainSequences: number;
  readonly testSequences: number;
  /** The values of the last epoch, as in `curve`. */
  readonly trainLoss: number;
  readonly testLoss: number;
  readonly accuracy: number;
  /** On the validation sequences, after the last epoch. */
  readonly validationLoss: number;
  readonly validationAccuracy: number;
  /** The best possible score on the same test sequences. */
  readonly ceilingAccuracy: number;
  readonly ceilingLoss: number;
  readonly ngramOrder: number;
  readonly ngramAccuracy: number;
  readonly ngramLoss: number;
  readonly accuracyByKind: KindAccuracy;
  readonly ceilingByKind: KindAccuracy;
  readonly ngramByKind: KindAccuracy;
  /** The total time, including evaluation. */
  readonly seconds: number;
  /** Without evaluation. */
  readonly tokensPerS: number;
  readonly curve: readonly CurvePoint[];
}
