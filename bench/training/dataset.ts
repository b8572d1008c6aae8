/**
 * The datasets, and the baselines that models are compared with.
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

/** The numbers and lengths of sequences. */
export interface DatasetSize {
  readonly train: number;
  readonly test: number;
  readonly lengths: readonly number[];
  /** Differences from the default task. */
  readonly task?: Partial<MotifTaskConfig>;
}

/** The share of right predictions for each kind of position, 0 to 1; null if there are none of the kind. */
export type KindAccuracy = Readonly<Record<PositionKind, number | null>>;

/** The score of a predictor that is not a network on the test sequences. */
interface Baseline {
  readonly loss: number;
  readonly accuracy: number;
  readonly byKind: KindAccuracy;
}

/** A task with its sequences. */
export interface Dataset {
  readonly task: MotifTask;
  readonly train: readonly Uint16Array[];
  readonly test: readonly Uint16Array[];
  /** As many as in `test`, for choosing a learning rate. */
  readonly validation: readonly Uint16Array[];
  /** The best possible score on these test sequences. */
  readonly ceiling: Baseline;
  /** The score of an n-gram model. */
  readonly ngram: Baseline;
}

/** Tokens are predicted from the three before them. Longer contexts increase the loss, because they are too rare. */
export const ngramOrder = 4;

/** The dataset of a seed, which determines the bank of motifs and all sequences; the sets are disjoint. */
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
 * Draws sequences like those of the test set from separate random numbers, so that the other sets do not depend on
 * them.
 *
 * @param others sequences that are drawn again
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

/** The accuracy of predictions by the kind of memory that they need. */
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
