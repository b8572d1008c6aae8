/**
 * Where a stream ends.
 *
 * @module
 */
import { show } from "../check.ts";

/** Finds where one of some sequences of ids ends. */
export interface Stops {
  /** How many of the last ids may be the beginning of one; at its end, its ids. */
  readonly held: number;
  /** Takes the next id; whether it ends one, of several the longest. */
  push(id: number): boolean;
}

/** Looks for sequences of ids, which are lists or single ids. */
export function stopsOf(action: string, stop: readonly (number | readonly number[])[]): Stops {
  if (!Array.isArray(stop)) {
    throw new TypeError(`Cannot ${action}: stop must be a list of ids, current value is ${show(stop)}`);
  }
  const sequences: readonly (readonly number[])[] = stop.map((one) => typeof one === "number" ? [one] : one);
  const wrong = sequences.findIndex((one) => !Array.isArray(one) || one.length === 0);
  if (wrong >= 0) {
    throw new TypeError(
      `Cannot ${action}: stop must hold ids and lists of at least one, current stop[${wrong}] is ${
        show(stop[wrong])
      }`,
    );
  }
  /** Where that is all that there are: most streams have no list, and look at every id. */
  const singles = sequences.some((one) => one.length > 1) ? null : sequences.flat();
  const none: number[] = [];
  /** The last ids, as many as may be the beginning of a sequence. */
  let last: number[] = [];
  /** How many of the last ids are the first `count` of a sequence, if all of those are. */
  const endsWith = (one: readonly number[], count: number) =>
    count <= last.length && last.slice(last.length - count).every((id, i) => id === one[i]) ? count : 0;
  const longest = (counts: readonly number[]) => counts.reduce((a, b) => Math.max(a, b), 0);
  return {
    get held() {
      return last.length;
    },
    push(id) {
      if (singles !== null) {
        last = singles.includes(id) ? [id] : none;
        return last !== none;
      }
      last.push(id);
      const found = longest(sequences.map((one) => endsWith(one, one.length)));
      const held = found ||
        longest(sequences.flatMap((one) => one.slice(1).map((_, i) => endsWith(one, i + 1))));
      last = last.slice(last.length - held);
      return found > 0;
    },
  };
}
