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

/** What sequences to draw. */
export interface SequenceOptions {
  /** How many. */
  readonly count: number;
  /** Tokens in a sequence, at least 2, or a list that they take in turn: sequence i has the (i mod n)-th length. */
  readonly length: number | readonly number[];
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

/** What sets to draw. */
export interface TrainAndTestOptions {
  /** How many sequences to train on. */
  readonly train: number;
  /** How many sequences to test on. */
  readonly test: number;
  /** Tokens in a sequence, as in {@link SequenceOptions}. */
  readonly length: number | readonly number[];
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

const sequenceNames: Names<SequenceOptions> = { count: 0, length: 0, seed: 0 };
const setNames: Names<TrainAndTestOptions> = { train: 0, test: 0, length: 0, seed: 0 };

/**
 * Sequences drawn from a task, by the equation of `motifTask`.
 *
 * Sequence i depends on the task, the seed and i alone: more of them begin with the same ones, and a longer one
 * begins with the shorter one.
 *
 * @param task of `motifTask`
 * @param options `count`, `length` and `seed`
 * @returns the sequences' token ids, each `[length]`
 * @throws {TypeError} if the options are no numbers or not known, or the list of lengths is empty
 * @throws {RangeError} if the count or the seed is not a whole number of at least 0, or a length one of at least 2
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
 * A set to train on and one to test on, drawn from one task, with no sequence in common.
 *
 * The test set is drawn first and is not touched: it is a fair sample of the task, so the ceiling holds on it, and it
 * is the same however many sequences there are to train on. A training sequence that is in it is drawn again. Where
 * lengths are mixed, a shorter sequence may still be how a longer one begins.
 *
 * @param task of `motifTask`
 * @param options `train`, `test`, `length` and `seed`
 * @returns the two sets, each a list of token ids as of `sampleSequences`
 * @throws {TypeError} if the options are no numbers or not known, or the list of lengths is empty
 * @throws {RangeError} if a count or the seed is not a whole number of at least 0, or a length one of at least 2, or
 *   if the task has too few different sequences
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

/** After so many draws in vain the test set holds nearly all that the task can draw, and would measure nothing. */
const attempts = 1000;

/** One sequence and what the equation of `motifTask` calls c_0 .. c_{m-1}. */
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
