/**
 * The batches of an epoch, and their division among workers.
 *
 * @module
 */
import { type Batch, batchesOf, type Rows, tokensOf } from "../models/batches.ts";
import { randomSource, shuffle } from "../random.ts";
import { boundsOf, type Part } from "./objective.ts";

/**
 * The batches of one epoch. The sequences of similar length that form a batch, and the order of the batches, are
 * drawn anew in each epoch, from the seed and the epoch alone.
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

/**
 * Splits a batch into one part for each worker, as equal as possible, the first no larger than the others. With fewer
 * sequences than workers, each part is one sequence.
 */
export function splitBatch(batch: Batch, workers: number): Part<Batch>[] {
  const { inputs, targets, weights } = batch, tokens = tokensOf(batch);
  return boundsOf(inputs.length, workers).map(({ start, end }) => {
    const own = (lists: Batch["inputs"]) => lists.slice(start, end);
    const rows = { inputs: own(inputs), targets: own(targets), weights: weights && own(weights) };
    return { ...rows, share: tokensOf(rows) / tokens };
  });
}
