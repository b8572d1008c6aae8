/**
 * Sequences of several lengths in batches, of which little is padding.
 *
 * @module
 */

/** Some sequences of one length, padded to it: what is read, and what is to be predicted at each step. */
export interface Batch {
  /** B lists of T ids. */
  readonly inputs: readonly ArrayLike<number>[];
  /** The same, one step later. */
  readonly targets: readonly ArrayLike<number>[];
  /** How much each target counts: 1, and 0 where it is padding; none: there is no padding. */
  readonly weights?: readonly ArrayLike<number>[] | undefined;
}

/** Which sequences a batch has, by their indices, and the length that all of them are padded to. */
export interface Rows {
  readonly indices: number[];
  readonly length: number;
}

/** The least part of a batch's targets that is no padding, but for what rounding a length up adds. */
const leastFilled = 0.75;

/**
 * Sequences in batches of about one length. Lengths are rounded up to four an octave, and no further than the longest of those that
 * are rounded to the same, so that a few forms of batches serve all lengths, and sequences of one length are not padded at all.
 * A batch takes the shortest first; it ends where it is full, or where the next one would make more than a quarter of it padding.
 * How many batches there are, and of what sizes, depends on the lengths alone.
 *
 * @param order the sequences' indices; those of one rounded length come in this order
 */
export function batchesOf(
  lengths: readonly number[],
  batchSize: number,
  order: Iterable<number> = lengths.keys(),
): Rows[] {
  const longest = new Map<number, number>();
  for (const length of lengths) {
    longest.set(roundUp(length), Math.max(length, longest.get(roundUp(length)) ?? 0));
  }
  const paddedTo = (i: number) => longest.get(roundUp(lengths[i]))!;
  const batches: Rows[] = [];
  let last: { indices: number[]; length: number } | undefined, filled = 0;
  for (const i of [...order].sort((a, b) => paddedTo(a) - paddedTo(b))) {
    const length = paddedTo(i);
    filled += length - 1;
    const count = last?.indices.length ?? batchSize;
    if (last === undefined || count === batchSize || filled <= leastFilled * (count + 1) * (length - 1)) {
      batches.push(last = { indices: [], length });
      filled = length - 1;
    }
    last.indices.push(i);
    last.length = length;
  }
  return batches;
}

/** The next of 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 and so on, or of the lengths below. */
function roundUp(length: number): number {
  const step = 2 ** Math.max(0, 29 - Math.clz32(length - 1));
  return step * Math.ceil(length / step);
}

/** Sequences as inputs and targets, each padded with its last id. */
export function batchOf(
  sequences: readonly ArrayLike<number>[],
  { indices, length }: Rows,
): Batch {
  const rows = indices.map((i) => sequences[i]);
  const idsFrom = (row: ArrayLike<number>, start: number) =>
    Array.from({ length: length - 1 }, (_, t) => row[Math.min(start + t, row.length - 1)]);
  const inputs = rows.map((row) => idsFrom(row, 0)), targets = rows.map((row) => idsFrom(row, 1));
  if (rows.every((row) => row.length === length)) return { inputs, targets };
  const weights = rows.map((row) => Array.from(targets[0], (_, t) => t < row.length - 1 ? 1 : 0));
  return { inputs, targets, weights };
}

/** How many targets count. */
export function tokensOf({ targets, weights }: Batch): number {
  if (weights === undefined) return targets.length * targets[0].length;
  return weights.reduce((sum, row) => Array.from(row).reduce((a, b) => a + b, sum), 0);
}
