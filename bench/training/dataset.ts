/**
 * What the models are trained and tested on, and what they are held against.
 *
 * @module
 */
import {
  accuracyByKind,
  ceiling,
  evaluateNgram,
  fitNgram,
  type MotifTask,
  motifTask,
  type MotifTaskConfig,
  type PositionKind,
  type PredictionScore,
  randomSource,
  trainAndTest,
} from "@seqmix/seqmix";
import { drawSequence } from "../../src/tasks/sequences.ts";

/** How many sequences of which lengths. */
export interface DatasetSize {
  readonly train: number;
  readonly test: number;
  readonly lengths: readonly number[];
  /** Where the task is not the default one. */
  readonly task?: Partial<MotifTaskConfig>;
}

/** The share of right predictions for each kind of position, 0 to 1; null where there is none of the kind. */
export type KindAccuracy = Readonly<Record<PositionKind, number | null>>;

/** How well a predictor that is no network does on the test sequences. */
export interface Baseline {
  readonly loss: number;
  readonly accuracy: number;
  readonly byKind: KindAccuracy;
}

/** One task with its sequences. */
export interface Dataset {
  readonly task: MotifTask;
  readonly train: readonly Uint16Array[];
  readonly test: readonly Uint16Array[];
  /** As many as in `test`, to choose a learning rate by. */
  readonly validation: readonly Uint16Array[];
  /** The best that is possible on these test sequences. */
  readonly ceiling: Baseline;
  /** What the last few tokens tell. */
  readonly ngram: Baseline;
}

/** Tokens are predicted from the three before. More make the loss worse: what is seen too rarely tells nothing. */
export const ngramOrder = 4;

/** The dataset of a seed, which fixes the bank of motifs and all sequences; what is trained on is in no other set. */
export function makeDataset(size: DatasetSize, seed: number): Dataset {
  const task = motifTask(size.task ?? {}, seed);
  const { train, test } = trainAndTest(task, {
    train: size.train,
    test: size.test,
    length: size.lengths,
    seed,
  });
  const baseline = ({ loss, accuracy, predicted }: PredictionScore) => ({
    loss,
    accuracy,
    byKind: kindAccuracy(task, test, predicted),
  });
  const ngram = fitNgram(train, { order: ngramOrder, vocabulary: task.config.vocabulary });
  return {
    task,
    train,
    test,
    validation: drawValidation(task, size, seed, [...train, ...test]),
    ceiling: baseline(ceiling(task, test)),
    ngram: baseline(evaluateNgram(ngram, test)),
  };
}

/**
 * Sequences drawn like those of the test set, from random numbers of their own, so that the other sets are the same
 * with and without them.
 *
 * @param others what is drawn again
 */
function drawValidation(
  task: MotifTask,
  { test: count, lengths }: DatasetSize,
  seed: number,
  others: readonly Uint16Array[],
): Uint16Array[] {
  const taken = new Set(others.map(String));
  return Array.from({ length: count }, (_, i) => {
    for (let attempt = 0;; attempt++) {
      const { tokens } = drawSequence(task, lengths[i % lengths.length], randomSource(seed, 2, i, attempt));
      if (!taken.has(String(tokens))) return tokens;
    }
  });
}

/** The accuracy of predictions by the kind of memory that they took. */
export function kindAccuracy(
  task: MotifTask,
  sequences: readonly Uint16Array[],
  predicted: readonly ArrayLike<number>[],
): KindAccuracy {
  const kinds = Object.entries(accuracyByKind(task, sequences, predicted));
  return Object.fromEntries(
    kinds.map(([kind, { count, accuracy }]) => [kind, count === 0 ? null : accuracy]),
  ) as KindAccuracy;
}
