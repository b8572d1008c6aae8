/**
 * The order in which sequences are trained on.
 *
 * @module
 */
import { type RandomSource, randomSource } from "../random.ts";

/** Some sequences of one length: what is read, and what is to be predicted at each step. */
export interface Batch {
  /** B lists of T ids. */
  readonly inputs: readonly ArrayLike<number>[];
  /** The same, one step later. */
  readonly targets: readonly ArrayLike<number>[];
}

/**
 * The batches of one epoch, as lists of the sequences' indices. Sequences of one length are batched together, so that none is
 * padded; which go together and in which order the batches come is drawn anew each epoch, from the seed and the epoch
 * alone.
 */
export function batchOrder(
  lengths: readonly number[],
  batchSize: number,
  seed: number,
  epoch: number,
): number[][] {
  const random = randomSource(seed, epoch);
  const byLength = new Map<number, number[]>();
  lengths.forEach((length, i) => {
    const group = byLength.get(length);
    if (group === undefined) byLength.set(length, [i]);
    else group.push(i);
  });
  const batches: number[][] = [];
  for (const group of byLength.values()) {
    shuffle(group, random);
    for (let start = 0; start < group.length; start += batchSize) {
      batches.push(group.slice(start, start + batchSize));
    }
  }
  shuffle(batches, random);
  return batches;
}

/** The sequences of a batch as inputs and targets. */
export function batchOf(sequences: readonly ArrayLike<number>[], indices: readonly number[]): Batch {
  const rows = indices.map((i) => {
    const row = sequences[i] as number[] | Uint32Array;
    return Array.isArray(row) || ArrayBuffer.isView(row) ? row : Array.from<number>(row);
  });
  return { inputs: rows.map((row) => row.slice(0, -1)), targets: rows.map((row) => row.slice(1)) };
}

/** A part of a batch. */
export interface Part extends Batch {
  /** How much of the batch it is. */
  readonly share: number;
}

/**
 * A batch in a part for each of so many workers, as equal as can be, the first no larger than the others; where there are
 * fewer sequences than workers, one in each part.
 */
export function splitBatch({ inputs, targets }: Batch, workers: number): Part[] {
  const parts = Math.min(workers, inputs.length);
  const startOf = (part: number) => Math.floor(part * inputs.length / parts);
  return Array.from({ length: parts }, (_, part) => {
    const start = startOf(part), end = startOf(part + 1);
    const share = (end - start) / inputs.length;
    return { inputs: inputs.slice(start, end), targets: targets.slice(start, end), share };
  });
}

/** Fisher and Yates: every order equally likely. */
function shuffle(items: unknown[], random: RandomSource): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
}
