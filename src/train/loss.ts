/**
 * Loss functions.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";

/** What {@linkcode Loss} depends on besides the parameters and the batch. */
export interface LossContext {
  /** The training's `seed`, for random numbers. */
  readonly seed: number;
  /**
   * A tensor `[]` with an integer below 2²⁴, for random numbers: the number of examples before this part of a batch,
   * from the first step on. It differs in every step and in every part of a batch, and is the same again in a repeated
   * or resumed training with the same division.
   */
  readonly step: Tensor;
  /** Whether the loss is differentiated; false in evaluations, where the rate of dropout should be 0. */
  readonly training: boolean;
}

/**
 * A pure function to the mean loss of a batch, a single number. It is compiled ({@linkcode compile}): it may only use
 * operations and can't read a tensor's numbers.
 *
 * @param params the parameters
 * @param batch the examples as a tree of tensors
 * @param context a seed and a step for random numbers, and whether this is training
 */
export type Loss<Params, Batch> = (params: Params, batch: Batch, context: LossContext) => Tensor;

/** How well a {@linkcode Loss} does on the test examples. */
export interface LossEvaluation {
  /** The mean loss. */
  readonly loss: number;
}
