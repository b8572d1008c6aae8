/**
 * Windows of a long sequence.
 *
 * @module
 */
import { checkInteger, show } from "../check.ts";

/** A list or a typed array of numbers; `A` is the type of its slices. */
export interface Sliceable<A> extends ArrayLike<number> {
  /** A copy of the elements from `start` to before `end`. */
  slice(start: number, end: number): A;
}

/**
 * Windows of equal length of a long sequence; window i starts at `i·stride`. A remainder at the end that is shorter
 * than a window is left out. A model predicts every token of a window but the first, so by default each window begins
 * with the last token of the previous one: every token but the very first is predicted once.
 *
 * @param ids token ids, bytes, or the values of a series
 * @param length the number of tokens in a window, at least 2
 * @param stride the number of tokens from the start of a window to that of the next, at least 1; default `length - 1`
 * @returns copies, of the same type as `ids`; none if there are fewer tokens than in one window
 * @throws {TypeError} if ids is not a list, or length or stride not a number
 * @throws {RangeError} if length or stride is out of range
 *
 * @example
 * ```ts
 * import { windows } from "@seqmix/seqmix";
 *
 * console.log(windows([1, 2, 3, 4, 5, 6], 3)); // [ [ 1, 2, 3 ], [ 3, 4, 5 ] ]
 * console.log(windows([1, 2, 3, 4, 5, 6], 3, 3)); // [ [ 1, 2, 3 ], [ 4, 5, 6 ] ]
 * ```
 */
export function windows<A>(ids: Sliceable<A>, length: number, stride?: number): A[] {
  const action = "cut windows";
  if (typeof ids === "string" || typeof ids?.slice !== "function") {
    throw new TypeError(
      `Cannot ${action}: ids must be a list or a typed array of numbers, current value is ${show(ids)}`,
    );
  }
  checkInteger(action, "length", length, 2);
  const step = stride === undefined ? length - 1 : stride;
  checkInteger(action, "stride", step, 1);
  const count = Math.max(0, Math.floor((ids.length - length) / step) + 1);
  return Array.from({ length: count }, (_, i) => ids.slice(i * step, i * step + length));
}
