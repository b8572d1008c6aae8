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
  trainAndTest,
} from "@seqmix/seqmix";

/** How many sequences of which lengths. */
export interface LessonSize {
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
export interface Lesson {
  readonly task: MotifTask;
  readonly train: readonly Uint16Array[];
  readonly test: readonly Uint16Array[];
  /** The best that is possible on these test sequences. */
  readonly ceiling: Baseline;
  /** What the last few tokens tell. */
  readonly ngram: Baseline;
}

/** Tokens are predicted from the three before. More make the loss worse: what is seen too rarely tells nothing. */
export const ngramOrder = 4;

/** The lesson of a seed, which fixes the bank of motifs and all sequences; no test sequence is trained on. */
export function makeLesson(size: LessonSize, seed: number): Lesson {
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
    ceiling: baseline(ceiling(task, test)),
    ngram: baseline(evaluateNgram(ngram, test)),
  };
}

/** The accuracy of predictions by the memory that they asked for. */
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
