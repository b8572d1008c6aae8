/**
 * Vectors of length 1.
 *
 * @module
 */
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";

/** ε, the least length that a vector is divided by. */
const epsilon = 1e-12;

/**
 * Divides each vector of the last axis by its Euclidean length: `y = x / max(‖x‖, ε)` with ε = 1e-12, so that 0 stays 0
 * (PyTorch's `normalize`).
 *
 * @param x `[..., C]`
 * @returns y, of x's shape
 * @throws {TypeError} if x is not a tensor with at least one axis
 *
 * @example
 * ```ts
 * import { l2Normalize, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(l2Normalize(tensor([3, 4, 0, 0], [2, 2])))); // about 0.6, 0.8, 0 and 0
 * ```
 */
export function l2Normalize(x: Tensor): Tensor {
  return compute(l2NormalizeOp, [x], [epsilon])[0];
}

/** gx = (gy - y Σ gy·y) / ‖x‖, and gy / ε where ‖x‖ is at most ε. */
export const l2NormalizeOp = defineOperation({
  name: "l2Normalize",
  action: "normalize vectors",
  inputs: ["x: ... C"],
  outputs: ["y: ... C"],
  sizes: ["...", "C"],
  constants: ["epsilon"],
  gradient: { needs: ["x"], of: ["x"] },
  example: { epsilon },
});
