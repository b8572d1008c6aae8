/**
 * Divides recorded calls into slices, between which the event loop may turn.
 *
 * @module
 */
import type { Call } from "./recording.ts";

/**
 * The most numbers that the calls of a slice read and write, unless it is a single call: the largest matrix product
 * of this size takes about 1 ms.
 */
const mostNumbers = 2 ** 16;
/** The most calls in a slice. */
const mostCalls = 64;

/**
 * The start of each slice of calls, and the end of the last. A slice is a single large call or many small ones,
 * because reading the clock takes as long as a small call. Slices are cut by the sizes of calls rather than by the
 * time they took, since a slow call may follow many fast ones.
 */
export function slicesOf(calls: readonly Call[]): number[] {
  const starts = [0];
  let numbers = 0;
  calls.forEach((call, i) => {
    const own = numbersIn(call);
    const start = starts[starts.length - 1];
    if (i > start && (numbers + own > mostNumbers || i - start === mostCalls)) {
      starts.push(i);
      numbers = 0;
    }
    numbers += own;
  });
  if (calls.length > 0) starts.push(calls.length);
  return starts;
}

function numbersIn({ args }: Call): number {
  let sum = 0;
  for (const arg of args) if (typeof arg === "object" && arg !== null) sum += arg.size;
  return sum;
}
