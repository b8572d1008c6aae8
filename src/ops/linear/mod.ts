/**
 * The linear map of the last axis.
 *
 * @module
 */
import { checkLast, checkShape, sharedBackend } from "../../check.ts";
import type { GradientRule, Tensor } from "../../tensor.ts";

/**
 * Applies a linear map to the last axis, `y = x·Wᵀ + b`, as PyTorch's `torch.nn.functional.linear`.
 *
 * @param x `[..., I]`
 * @param weight `[O, I]`, a row an output
 * @param bias `[O]`; none adds nothing
 * @returns y `[..., O]`
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { linear, read, tensor } from "@seqmix/seqmix";
 *
 * const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
 * console.log(await read(linear(tensor([1, 10], [1, 2]), weight))); // Float32Array [ 21, 43, 65 ]
 * ```
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const action = "compute linear";
  checkShape(action, "weight", weight, "O", "I");
  checkLast(action, "x", x, weight.shape[1]);
  if (bias === undefined) return sharedBackend(action, "x, weight", x, weight).linear(x, weight, null);
  checkShape(action, "bias", bias, weight.shape[0]);
  return sharedBackend(action, "x, weight, bias", x, weight, bias).linear(x, weight, bias);
}

/** With y = x·Wᵀ + b: gx = gy·W, gW = gyᵀ·x, gb = Σ gy. */
export const linearGradient: GradientRule<"linear"> = ([x, weight, bias], _, [gy], wanted) => {
  const { backward } = x.backend;
  const gx = wanted[0] ? backward.linearInput(gy, weight) : null;
  const [gWeight, gBias] = wanted[1] || wanted[2]
    ? backward.linearWeight(gy, x, bias !== null && wanted[2])
    : [null, null];
  return [gx, gWeight, gBias];
};
