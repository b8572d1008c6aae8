/**
 * Batches of sequences of different lengths, with little padding.
 *
 * @module
 */

/** Sequences padded to a common length: the inputs, and the targets to predict at each step. */
export interface Batch {
  /** B lists of T ids. */
  readonly inputs: readonly ArrayLike<number>[];
  /** The inputs, one step later. */
  readonly targets: readonly ArrayLike<number>[];
  /** The weight of each target: 1, or 0 for padding. Absent if there is no padding. */
  readonly weights?: readonly ArrayLike<number>[] | undefined;
}

/** The sequences of a batch, by their indices, and the length that they are padded to. */
export interface Rows {
  readonly indices: number[];
  readonly length: number;
}

/** The minimum fraction of a batch's targets that are not padding, apart from padding due to rounded-up lengths. */
const minFilled = 0.75;

/**
 * Groups sequences of similar length into batches. Lengths are rounded up to four per octave, but no further than the
 * longest sequence with the same rounded length, so that few shapes of batches occur, and sequences of equal length
 * are not padded at all. Batches are filled from the shortest sequence up; a batch ends when it is full, or when the
 * next sequence would make more than a quarter of it padding. The number and sizes of the batches depend only on the
 * lengths.
 *
 * @param order the indices of the sequences; sequences of the same rounded length are batched in this order
 */
export function batchesOf(
  lengths: readonly number[],
  batchSize: number,
  order: Iterable<number> = lengths.keys(),
): Rows[] {
  // Grouped rather than sorted: a comparison for each pair would block the event loop for a second with a million.
  const groups = new Map<number, number[]>();
  for (const i of order) {
    const rounded = roundUp(lengths[i]), group = groups.get(rounded);
    if (group === undefined) groups.set(rounded, [i]);
    else group.push(i);
  }
  const batches: Rows[] = [];
  let last: { indices: number[]; length: number } | undefined, filled = 0;
  for (const [, group] of [...groups].sort(([a], [b]) => a - b)) {
    const length = group.reduce((longest, i) => Math.max(longest, lengths[i]), 0);
    for (const i of group) {
      filled += length - 1;
      const count = last?.indices.length ?? batchSize;
      if (last === undefined || count === batchSize || filled <= minFilled * (count + 1) * (length - 1)) {
        batches.push(last = { indices: [], length });
        filled = length - 1;
      }
      last.indices.push(i);
      last.length = length;
    }
  }
  return batches;
}

/** Rounds up to 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 and so on. */
function roundUp(length: number): number {
  const step = 2 ** Math.max(0, 29 - Math.clz32(length - 1));
  return step * Math.ceil(length / step);
}

/**
 * Splits sequences into inputs and targets, each padded with its sequence's last id.
 *
 * @param start the first step
 * @param end the step after the last
 */
export function batchOf(
  sequences: readonly ArrayLike<number>[],
  { indices, length }: Rows,
  start = 0,
  end: number = length - 1,
): Batch {
  const rows = indices.map((i) => sequences[i]);
  const stepsOf = (valueAt: (step: number) => number) =>
    Array.from({ length: end - start }, (_, t) => valueAt(start + t));
  const idsAfter = (shift: number) =>
    rows.map((row) => stepsOf((step) => row[Math.min(step + shift, row.length - 1)]));
  const inputs = idsAfter(0), targets = idsAfter(1);
  if (rows.every((row) => row.length === length)) return { inputs, targets };
  return { inputs, targets, weights: rows.map((row) => stepsOf((step) => Number(step < row.length - 1))) };
}

/** The number of targets that are not padding. */
export function tokensOf({ targets, weights }: Batch): number {
  if (weights === undefined) return targets.length * targets[0].length;
  return weights.reduce((sum, row) => Array.from(row).reduce((a, b) => a + b, sum), 0);
}
