/**
 * The order in which sequences are trained on.
 *
 * @module
 */
import { type Batch, batchesOf, type Rows, tokensOf } from "../models/batches.ts";
import { type RandomSource, randomSource } from "../random.ts";

/**
 * The batches of one epoch. Which sequences of about one length go together and in which order the batches come is drawn
 * anew each epoch, from the seed and the epoch alone.
 */
export function batchOrder(
  lengths: readonly number[],
  batchSize: number,
  seed: number,
  epoch: number,
): Rows[] {
  const random = randomSource(seed, epoch);
  const order = [...lengths.keys()];
  shuffle(order, random);
  const batches = batchesOf(lengths, batchSize, order);
  shuffle(batches, random);
  return batches;
}

/** A part of a batch. */
export interface Part extends Batch {
  /** How much of the batch it is: of the targets that count. */
  readonly share: number;
}

/**
 * A batch in a part for each of so many workers, as equal as can be, the first no larger than the others; where there are
 * fewer sequences than workers, one in each part.
 */
export function splitBatch(batch: Batch, workers: number): Part[] {
  const { inputs, targets, weights } = batch, tokens = tokensOf(batch);
  const parts = Math.min(workers, inputs.length);
  const startOf = (part: number) => Math.floor(part * inputs.length / parts);
  return Array.from({ length: parts }, (_, part) => {
    const own = (lists: Batch["inputs"]) => lists.slice(startOf(part), startOf(part + 1));
    const rows = { inputs: own(inputs), targets: own(targets), weights: weights && own(weights) };
    return { ...rows, share: tokensOf(rows) / tokens };
  });
}

/** Fisher and Yates: every order equally likely. */
function shuffle(items: unknown[], random: RandomSource): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
}
