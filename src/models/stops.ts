/**
 * Finds the ids at which a stream stops.
 *
 * @module
 */
import { show } from "../check.ts";

/** Finds the first end of one of several sequences in a stream of ids. */
export interface Stops {
  /** The number of last ids that match the beginning of a sequence; at its end, its length. */
  readonly held: number;
  /** Adds the next id. Returns whether a sequence ends with it; if several do, the longest counts. */
  push(id: number): boolean;
}

/** Finds sequences, each a list of ids or a single id. */
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
  /** The ids, if there are no lists, as in most streams: checking an id is then faster. */
  const singles = sequences.some((one) => one.length > 1) ? null : sequences.flat();
  const none: number[] = [];
  /** The last ids that match the beginning of a sequence. */
  let last: number[] = [];
  /** `count` if the stream ends with the first `count` ids of a sequence; else 0. */
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
