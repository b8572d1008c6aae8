/**
 * Sequences of the synthetic task.
 *
 * @module
 */
import { checkLength, hostArray } from "../allocate.ts";
import { checkInteger, show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import { type RandomSource, randomSource } from "../random.ts";
import { drawDifferent, type MotifTask } from "./motif_task.ts";

/** Options of {@linkcode sampleSequences}. */
export interface SequenceOptions {
  /** The number of sequences. */
  readonly count: number;
  /** The number of tokens in a sequence, at least 2, or a list of lengths: sequence i has the (i mod n)-th. */
  readonly length: number | readonly number[];
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

/** Options of {@linkcode trainAndTest}. */
export interface TrainAndTestOptions {
  /** The number of training sequences. */
  readonly train: number;
  /** The number of test sequences. */
  readonly test: number;
  /** The number of tokens in a sequence, as in {@link SequenceOptions}. */
  readonly length: number | readonly number[];
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

const sequenceNames: Names<SequenceOptions> = { count: 0, length: 0, seed: 0 };
const setNames: Names<TrainAndTestOptions> = { train: 0, test: 0, length: 0, seed: 0 };

/**
 * Sequences drawn from a task, by the equation of `motifTask`.
 *
 * Sequence i depends only on the task, the seed and i: a larger set begins with the same sequences, and a longer
 * sequence begins with the shorter one.
 *
 * @param task a task of `motifTask`
 * @param options `count`, `length` and `seed`
 * @returns the sequences' token ids, each `[length]`
 * @throws {TypeError} if the options are not numbers or not known, or the list of lengths is empty
 * @throws {RangeError} if the count or the seed is not an integer of at least 0, or a length one of at least 2
 *
 * @example Sequences of several lengths
 * ```ts
 * import { motifTask, sampleSequences } from "@seqmix/seqmix";
 *
 * const sequences = sampleSequences(motifTask({}, 1), { count: 4, length: [32, 256], seed: 2 });
 * console.log(sequences.map((tokens) => tokens.length)); // [ 32, 256, 32, 256 ]
 * ```
 */
export function sampleSequences(task: MotifTask, options: SequenceOptions): Uint16Array[] {
  const action = "sample sequences";
  checkNames(action, options, sequenceNames);
  checkInteger(action, "count", options.count, 0);
  checkLength(action, "count", options.count);
  checkInteger(action, "seed", options.seed, 0);
  const lengths = checkLengths(action, options.length);
  return Array.from(
    { length: options.count },
    (_, i) => drawSequence(task, lengths[i % lengths.length], randomSource(options.seed, i)).tokens,
  );
}

/**
 * Disjoint training and test sets, drawn from one task.
 *
 * The test set is drawn first and left unchanged: it is a fair sample of the task, so the ceiling applies to it,
 * and it does not depend on the number of training sequences. A training sequence that is in the test set is drawn
 * again. With mixed lengths, a shorter sequence may still be the beginning of a longer one.
 *
 * @param task a task of `motifTask`
 * @param options `train`, `test`, `length` and `seed`
 * @returns the two sets, each a list of token ids like those of `sampleSequences`
 * @throws {TypeError} if the options are not numbers or not known, or the list of lengths is empty
 * @throws {RangeError} if a count or the seed is not an integer of at least 0, or a length one of at least 2, or if
 *   the task has too few different sequences
 *
 * @example
 * ```ts
 * import { motifTask, trainAndTest } from "@seqmix/seqmix";
 *
 * const { train, test } = trainAndTest(motifTask({}, 1), { train: 6, test: 2, length: 128, seed: 2 });
 * console.log(train.length, test.length); // 6 2
 * ```
 */
export function trainAndTest(
  task: MotifTask,
  options: TrainAndTestOptions,
): { train: Uint16Array[]; test: Uint16Array[] } {
  const action = "draw train and test sets";
  checkNames(action, options, setNames);
  const { train, test, seed } = options;
  checkInteger(action, "train", train, 0);
  checkInteger(action, "test", test, 0);
  checkLength(action, "train", train);
  checkLength(action, "test", test);
  checkInteger(action, "seed", seed, 0);
  const lengths = checkLengths(action, options.length);

  const draw = (...path: number[]) => {
    const length = lengths[path[1] % lengths.length];
    return drawSequence(task, length, randomSource(seed, ...path)).tokens;
  };
  const testSet = Array.from({ length: test }, (_, i) => draw(0, i));
  const held = new Set(testSet.map(String));
  const trainSet = Array.from({ length: train }, (_, i) => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const tokens = draw(1, i, attempt);
      if (!held.has(String(tokens))) return tokens;
    }
    throw new RangeError(
      `Cannot ${action}: the task must have more different sequences of ${
        lengths[i % lengths.length]
      } tokens ` +
        `than the test set takes, current test set is of ${test} sequences`,
    );
  });
  return { train: trainSet, test: testSet };
}

/**
 * The most attempts to draw a new sequence. Beyond it, the test set contains nearly all sequences of the task and
 * would measure nothing.
 */
const attempts = 1000;

/** A sequence, and its cycle c_0 .. c_{m-1} in the equation of `motifTask`. */
export function drawSequence(
  task: MotifTask,
  length: number,
  random: RandomSource,
): { tokens: Uint16Array; cycle: number[] } {
  const { motifs, motifLength, shortestCycle, longestCycle, flip } = task.config;
  const cycleLength = shortestCycle + random.integer(longestCycle - shortestCycle + 1);
  const cycle = drawDifferent(random, cycleLength, motifs);
  const slots: number[] = [];
  const tokens = hostArray("sample sequences", Uint16Array, length);
  for (let t = 0; t < length; t++) {
    const visit = Math.floor(t / motifLength);
    const place = t % motifLength;
    const turn = visit % cycleLength;
    const motif = task.bank[cycle[turn]];
    if (place === motif.slot && (visit < cycleLength || random.uniform() < flip)) {
      slots[turn] = motif.alternatives[random.integer(motif.alternatives.length)];
    }
    tokens[t] = place === motif.slot ? slots[turn] : motif.tokens[place];
  }
  return { tokens, cycle };
}

function checkLengths(action: string, length: number | readonly number[]): readonly number[] {
  const lengths = typeof length === "number" ? [length] : length;
  if (!Array.isArray(lengths) || lengths.length === 0) {
    throw new TypeError(
      `Cannot ${action}: length must be a number or a list of at least one, current value is ${show(length)}`,
    );
  }
  for (const each of lengths) checkInteger(action, "length", each, 2);
  return lengths;
}
