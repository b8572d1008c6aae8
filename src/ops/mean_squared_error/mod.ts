/**
 * The mean squared error, a loss for regression.
 *
 * @module
 */
import { checkLast } from "../../check.ts";
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { weightsOf } from "../cross_entropy/mod.ts";

/**
 * The mean squared difference of a prediction and its target, `Σ w (prediction - target)² / (C Σ w)`: over all C
 * elements of the last axis, and over the others with weights, as in `crossEntropy`.
 *
 * @param prediction `[..., C]`
 * @param target of the same shape; it has a gradient too
 * @param weights the weight of each vector of C elements: a tensor `[...]`, or for `[B, T, C]` one list for each
 *   sequence; 0 excludes padding, even if it is NaN. Default: all 1
 * @returns a single number, shape `[]`; NaN if all weights are 0 or there are no elements
 * @throws {TypeError} on other shapes, or tensors of two backends
 * @throws {RangeError} on a list with a weight that is negative or not finite
 *
 * @example
 * ```ts
 * import { meanSquaredError, read, tensor } from "@seqmix/seqmix";
 *
 * const prediction = tensor([1, 2, 3, 4], [1, 2, 2]), target = tensor([1, 4, 0, 0], [1, 2, 2]);
 * console.log(await read(meanSquaredError(prediction, target))); // Float32Array [ 7.25 ]
 * console.log(await read(meanSquaredError(prediction, target, [[1, 0]]))); // Float32Array [ 2 ]
 * ```
 */
export function meanSquaredError(
  prediction: Tensor,
  target: Tensor,
  weights?: readonly ArrayLike<number>[] | Tensor,
): Tensor {
  const action = "compute mean squared error";
  checkLast(action, "prediction", prediction, "C");
  // In a scope, which frees the tensor that is made of lists.
  return prediction.backend.scope(() =>
    compute(meanSquaredErrorOp, [prediction, target, weightsOf(action, weights, prediction.backend)])[0]
  );
}

/** gPrediction = gLoss·2w·(prediction - target) / (C Σ w), gTarget = -gPrediction; weights get none. */
export const meanSquaredErrorOp = defineOperation({
  name: "meanSquaredError",
  action: "compute mean squared error",
  inputs: ["prediction: ... C", "target: ... C", "weights?: ..."],
  outputs: ["loss:"],
  sizes: ["...", "C"],
  gradient: { needs: ["prediction", "target", "weights"], of: ["prediction", "target"] },
  example: { weights: Math.abs },
});
