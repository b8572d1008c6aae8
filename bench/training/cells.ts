/**
 * Which trainings a report is made of: each is independent of the others, and so a command of its own.
 *
 * @module
 */
import type { ModelName, PresetName } from "../subjects.ts";

/** One training: all that decides how it goes, but for the backend. */
export interface TrainingCell {
  readonly preset: PresetName;
  readonly model: ModelName;
  readonly seed: number;
  /** The highest learning rate. */
  readonly rate: number;
  readonly epochs: number;
}

/** The learning rates that every model is tried at. */
export const rates: readonly number[] = [3e-4, 1e-3, 3e-3, 1e-2];

/** The one that the article has for all models. */
export const articleRate = 1e-3;

/** The name of a training's files. */
export function nameOf({ preset, model, seed, rate, epochs }: TrainingCell, backend: string): string {
  return `${preset}-${model}-seed${seed}-rate${rate}-epochs${epochs}-${backend}`;
}
