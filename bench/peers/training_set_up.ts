/**
 * The training that is compared, the same for all implementations.
 *
 * @module
 */
import { motifTask, sampleSequences } from "@seqmix/seqmix";

/** The number of sequences in a batch. */
export const batchSize = 32;

/** The hyperparameters of every step; the learning rate is constant. */
export const hyper = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxNorm: 1,
};

/** The number of steps whose losses are compared: the later ones show whether the first updates were equal. */
export const checkedSteps = 3;

/** The batch, with one token more than is read: each token's target is the next. */
export function trainingBatch(length: number): number[][] {
  const sequences = sampleSequences(motifTask({}, 1), { count: batchSize, length: length + 1, seed: 2 });
  return sequences.map((tokens) => Array.from(tokens));
}
