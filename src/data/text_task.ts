/**
 * A text as a task for training.
 *
 * @module
 */
import { show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import { byteTokenizer } from "./byte_tokenizer.ts";
import { splitTrainTest, testCount } from "./split_train_test.ts";
import { windows } from "./windows.ts";

/** Options of {@linkcode textTask}. */
export interface TextTaskOptions {
  /** The number of bytes in a sequence, at least 2; default 128. */
  readonly length?: number | undefined;
  /** The share of the sequences to test with, between 0 and 1, or their number, from 1 on; default 0.1. */
  readonly test?: number | undefined;
  /**
   * The seed by which the test sequences are drawn from the whole text, an integer from 0 to 2⁵³ - 1. Default: they
   * are the end of the text, so that they do not lie between training sequences.
   */
  readonly seed?: number | undefined;
}

const names: Names<TextTaskOptions> = { length: 0, test: 0, seed: 0 };

/**
 * The bytes of a text as sequences for `fit`, in which every byte but the first is predicted exactly once: see
 * `windows`. A model of them has a vocabulary of 256, and its `bitsPerToken` in `evaluate` are bits a byte.
 *
 * @param text a string, encoded by `byteTokenizer`, or its bytes
 * @param options `length`, `test` and `seed`
 * @returns the two sets, each a list of ids from 0 to 255
 * @throws {TypeError} if text is neither a string nor bytes, or an option is not a number or not known
 * @throws {RangeError} if length, test or seed is out of range, or the text is shorter than two sequences
 *
 * @example
 * ```ts
 * import { textTask } from "@seqmix/seqmix";
 *
 * const { train, test } = textTask("to be or not to be ".repeat(100), { length: 64 });
 * console.log(train.length, test.length, train[0].length); // 27 3 64
 * ```
 */
export function textTask(
  text: string | Uint8Array,
  options: TextTaskOptions = {},
): { train: Uint8Array[]; test: Uint8Array[] } {
  const action = "make text task";
  if (typeof text !== "string" && !(text instanceof Uint8Array)) {
    throw new TypeError(`Cannot ${action}: text must be a string or bytes, current value is ${show(text)}`);
  }
  checkNames(action, options, names);
  const { length = 128, test = 0.1, seed } = options;
  const bytes = typeof text === "string" ? byteTokenizer.encode(text) : text;
  const all: Uint8Array[] = windows(bytes, length);
  if (all.length < 2) {
    throw new RangeError(
      `Cannot ${action}: text must have at least ${
        2 * length - 1
      } bytes for two sequences of ${length}, current ` +
        `length is ${bytes.length}`,
    );
  }
  if (seed !== undefined) return splitTrainTest(all, { test, seed });
  const count = all.length - testCount(action, test, all.length);
  return { train: all.slice(0, count), test: all.slice(count) };
}
