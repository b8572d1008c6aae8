/**
 * What is trained on, and how: the same for all.
 *
 * @module
 */
import { motifTask, sampleSequences } from "@seqmix/seqmix";

/** Sequences in a batch. */
export const batchSize = 32;

/** Of every step; the learning rate stays where it starts. */
export const hyper = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxNorm: 1,
};

/** Steps whose losses are compared: those after the first tell whether the first were the same step. */
export const checkedSteps = 3;

/** The batch, a token more than is read: each one's target is the next. */
export function trainingBatch(length: number): number[][] {
  const sequences = sampleSequences(motifTask({}, 1), { count: batchSize, length: length + 1, seed: 2 });
  return sequences.map((tokens) => Array.from(tokens));
}
