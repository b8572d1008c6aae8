/**
 * Linear maps of the last axis.
 *
 * @module
 */
import { compute, run } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";

/**
 * Applies a linear map to the last axis, `y = x·Wᵀ + b`, as PyTorch's `torch.nn.functional.linear`.
 *
 * @param x `[..., I]`
 * @param weight `[O, I]`, one row for each output
 * @param bias `[O]`; default: no bias
 * @returns y `[..., O]`
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { linear, read, tensor } from "@seqmix/seqmix";
 *
 * const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
 * console.log(await read(linear(tensor([1, 10], [1, 2]), weight))); // Float32Array(3) [ 21, 43, 65 ]
 * ```
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return compute(linearOp, [x, weight, bias])[0];
}

/** With y = x·Wᵀ + b: gx = gy·W, gW = gyᵀ·x, gb = Σ gy. */
export const linearOp = defineOperation({
  name: "linear",
  action: "compute linear",
  inputs: ["x: ... I", "weight: O I", "bias?: O"],
  outputs: ["y: ... O"],
  sizes: ["...", "I", "O"],
  gradient: ({ inputs: [x, weight, bias], grads: [gy], wanted }) => {
    const gx = wanted[0] ? run(linearBackwardInputOp, [gy, weight])[0] : null;
    if (bias !== undefined && wanted[2]) return [gx, ...run(linearBackwardBothOp, [gy, x])];
    return [gx, wanted[1] ? run(linearBackwardWeightOp, [gy, x])[0] : null, null];
  },
});

/** gx = gy·W. */
export const linearBackwardInputOp = defineOperation({
  name: "linearBackwardInput",
  action: "differentiate linear",
  inputs: ["gy: ... O", "weight: O I"],
  outputs: ["gx: ... I"],
  sizes: ["...", "I", "O"],
  gradient: "none",
});

/** gW = gyᵀ·x. */
export const linearBackwardWeightOp = defineOperation({
  name: "linearBackwardWeight",
  action: "differentiate linear",
  inputs: ["gy: ... O", "x: ... I"],
  outputs: ["gWeight: O I", null],
  sizes: ["...", "I", "O"],
  gradient: "none",
});

/** The same, and gb = Σ gy. */
const linearBackwardBothOp = defineOperation({
  ...linearBackwardWeightOp.declaration,
  outputs: ["gWeight: O I", "gBias: O"],
});
