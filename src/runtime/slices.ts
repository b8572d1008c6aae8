/**
 * Where recorded calls are left for a turn of the event loop.
 *
 * @module
 */
import type { Call } from "./recording.ts";

/** Numbers that the calls of a slice take and make, unless it is one call: the largest matrix product of so many takes about a ms. */
const mostNumbers = 2 ** 16;
/** Calls of a slice. */
const mostCalls = 64;

/**
 * Where each slice of calls starts, and where the last ends. A slice is a single large call, or many small ones, because to look at the
 * clock takes as long as a small one. By what calls take, never by how long they took: a call that takes long comes after many that did
 * not.
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
