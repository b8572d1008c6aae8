/**
 * A sequence shifted by one step, and its last step: the input and the state of RWKV's token shift.
 *
 * @module
 */
import { checkShape } from "../../check.ts";
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";

/**
 * Shifts a sequence by one step: `y[t] = x[t - 1]`, and `y[0] = first`.
 *
 * @param x `[B, T, C]`
 * @param first `[B, C]`, the step before the sequence
 * @returns y `[B, T, C]`
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { read, shiftTime, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(shiftTime(tensor([1, 2, 3], [1, 3, 1]), tensor([9], [1, 1])))); // Float32Array(3) [ 9, 1, 2 ]
 * ```
 */
export function shiftTime(x: Tensor, first: Tensor): Tensor {
  return compute(shiftTimeOp, [x, first])[0];
}

/**
 * The last step of each sequence: `y = x[T - 1]`.
 *
 * @param x `[B, T, C]`, T at least 1
 * @returns y `[B, C]`
 * @throws {TypeError} on another shape
 * @throws {RangeError} if there is no step
 *
 * @example
 * ```ts
 * import { lastStep, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(lastStep(tensor([1, 2, 3], [1, 3, 1])))); // Float32Array(1) [ 3 ]
 * ```
 */
export function lastStep(x: Tensor): Tensor {
  checkShape("take last step", "x", x, "B", "T", "C");
  if (x.shape[1] === 0) throw new RangeError("Cannot take last step: T must be at least 1, current T is 0");
  return compute(lastStepOp, [x])[0];
}

/** The last step of each sequence as a sequence of one step: x `[B, T, C]`, y `[B, 1, C]`. */
export function lastStepAsSequence(x: Tensor): Tensor {
  return x.shape[1] === 1 ? x : compute(lastStepAsSequenceOp, [x])[0];
}

/** The gradient is shifted back; that of `first` is its first step, and that of the last step of x is 0. */
export const shiftTimeOp = defineOperation({
  name: "shiftTime",
  action: "shift time",
  inputs: ["x: B T C", "first: B C"],
  outputs: ["y: B T C"],
  sizes: ["B", "T", "C"],
  gradient: { needs: [], of: ["x", "first"] },
});

/** The gradient of the last step is gy, that of the others 0. */
export const lastStepOp = defineOperation({
  name: "lastStep",
  action: "take last step",
  inputs: ["x: B T C"],
  outputs: ["y: B C"],
  sizes: ["B", "T", "C"],
  gradient: { needs: [], of: ["x"] },
});

const lastStepAsSequenceOp = defineOperation({ ...lastStepOp.declaration, outputs: ["y: B 1 C"] });
