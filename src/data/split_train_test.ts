/**
 * Sequences divided into a training set and a test set.
 *
 * @module
 */
import { checkInteger, checkNumber, show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import { randomSource, shuffle } from "../random.ts";

/** Options of {@linkcode splitTrainTest}. */
export interface SplitTrainTestOptions {
  /** The number of test sequences, from 1 on, or their share, between 0 and 1. */
  readonly test: number;
  /** The seed of the draw, an integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

const names: Names<SplitTrainTestOptions> = { test: 0, seed: 0 };

/**
 * Divides sequences into a training set and a test set, which is drawn at random; both keep the order of the
 * sequences, and have at least one. Equal sequences may end up in both.
 *
 * @param sequences at least two, of any kind; not copied
 * @param options `test` and `seed`
 * @returns the two sets, for `fit`
 * @throws {TypeError} if sequences is not a list of at least two, or an option is not a number or not known
 * @throws {RangeError} if test or seed is out of range
 *
 * @example
 * ```ts
 * import { splitTrainTest } from "@seqmix/seqmix";
 *
 * const { train, test } = splitTrainTest([[1, 2], [3, 4], [5, 6], [7, 8]], { test: 0.25, seed: 1 });
 * console.log(train.length, test.length); // 3 1
 * ```
 */
export function splitTrainTest<S>(
  sequences: readonly S[],
  options: SplitTrainTestOptions,
): { train: S[]; test: S[] } {
  const action = "split sequences";
  if (!Array.isArray(sequences) || sequences.length < 2) {
    throw new TypeError(
      `Cannot ${action}: sequences must be a list of at least 2, current value is ${show(sequences)}`,
    );
  }
  checkNames(action, options, names);
  checkInteger(action, "seed", options.seed, 0);
  const count = testCount(action, options.test, sequences.length);
  const order = [...sequences.keys()];
  shuffle(order, randomSource(options.seed));
  const drawn = new Set(order.slice(0, count));
  return {
    train: sequences.filter((_, i) => !drawn.has(i)),
    test: sequences.filter((_, i) => drawn.has(i)),
  };
}

/** The number of test sequences among `all`. */
export function testCount(action: string, test: number, all: number): number {
  checkNumber(action, "test", test);
  if (test > 0 && test < 1) return Math.min(all - 1, Math.max(1, Math.round(test * all)));
  if (Number.isInteger(test) && test >= 1 && test < all) return test;
  throw new RangeError(
    `Cannot ${action}: test must be between 0 and 1 or an integer from 1 to ${
      all - 1
    }, current value is ${test}`,
  );
}
