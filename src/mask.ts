/**
 * Masks of the positions of a batch, for sequences of different lengths.
 *
 * @module
 */
import { isTensor, show } from "./check.ts";

/** For each row of a batch, T numbers: 1 for a position that is read, 0 for one that is skipped. */
export type PositionMask = readonly ArrayLike<number>[];

/** A mask that skips at least one position. */
export interface Mask {
  /** B */
  readonly batch: number;
  /** T */
  readonly time: number;
  /** For each row, the positions that are read, in ascending order. */
  readonly rows: readonly (readonly number[])[];
}

/** Checks the mask of a batch `[B, T]`, and converts it; null if it skips nothing. */
export function maskOf(
  action: string,
  mask: PositionMask | undefined,
  batch: number,
  time: number,
): Mask | null {
  if (mask === undefined) return null;
  const wanted = `mask must be ${batch} lists of ${time} numbers 0 or 1`;
  if (!Array.isArray(mask)) {
    throw new TypeError(`Cannot ${action}: ${wanted}, current value is ${show(mask)}`);
  }
  if (mask.length !== batch) {
    throw new TypeError(`Cannot ${action}: ${wanted}, current number of lists is ${mask.length}`);
  }
  let count = 0;
  const rows = Array.from(mask as PositionMask, (list, b) => {
    if (isTensor(list) || typeof list !== "object" || typeof list?.length !== "number") {
      throw new TypeError(`Cannot ${action}: ${wanted}, current list ${b} is ${show(list)}`);
    }
    if (list.length !== time) {
      throw new TypeError(`Cannot ${action}: ${wanted}, current length of list ${b} is ${list.length}`);
    }
    const positions: number[] = [];
    for (let t = 0; t < time; t++) {
      const number = list[t];
      if (number === 1) positions.push(t);
      else if (number !== 0) {
        const Kind = typeof number === "number" ? RangeError : TypeError;
        throw new Kind(`Cannot ${action}: ${wanted}, current number at [${b}, ${t}] is ${show(number)}`);
      }
    }
    count += positions.length;
    return positions;
  });
  return count === batch * time ? null : { batch, time, rows };
}
