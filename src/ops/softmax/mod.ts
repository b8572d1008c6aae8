/**
 * Softmax of the last axis.
 *
 * @module
 */
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";

/**
 * Probabilities from logits: `y_i = e^x_i / Σ_j e^x_j` over the last axis. The largest logit is subtracted first, so
 * that nothing overflows.
 *
 * @param x `[..., V]`
 * @returns y, of x's shape; each row sums to 1
 * @throws {TypeError} if x is not a tensor with at least one axis
 *
 * @example
 * ```ts
 * import { read, softmax, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(softmax(tensor([500, 500], [1, 2])))); // Float32Array(2) [ 0.5, 0.5 ]
 * ```
 */
export function softmax(x: Tensor): Tensor {
  return compute(softmaxOp, [x])[0];
}

/** gx = y·(gy - Σ gy·y). */
export const softmaxOp = defineOperation({
  name: "softmax",
  action: "compute softmax",
  inputs: ["x: ... V"],
  outputs: ["y: ... V"],
  sizes: ["...", "V"],
  gradient: { needs: ["y"], of: ["x"] },
});
