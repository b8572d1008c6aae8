/**
 * A sequence one step earlier, and its last step: how token shift looks back and what it keeps.
 *
 * @module
 */
import { checkShape, sharedBackend } from "../../check.ts";
import type { GradientRule, Tensor } from "../../tensor.ts";

/**
 * The sequence one step earlier: `y[t] = x[t - 1]`, and `y[0] = first`.
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
 * console.log(await read(shiftTime(tensor([1, 2, 3], [1, 3, 1]), tensor([9], [1, 1])))); // Float32Array [ 9, 1, 2 ]
 * ```
 */
export function shiftTime(x: Tensor, first: Tensor): Tensor {
  checkShape("shift time", "x", x, "B", "T", "C");
  checkShape("shift time", "first", first, x.shape[0], x.shape[2]);
  return sharedBackend("shift time", "x, first", x, first).shiftTime(x, first);
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
 * console.log(await read(lastStep(tensor([1, 2, 3], [1, 3, 1])))); // Float32Array [ 3 ]
 * ```
 */
export function lastStep(x: Tensor): Tensor {
  checkShape("take last step", "x", x, "B", "T", "C");
  if (x.shape[1] === 0) throw new RangeError("Cannot take last step: T must be at least 1, current T is 0");
  return x.backend.lastStep(x);
}

/** The last step of each sequence as a sequence of one step: x `[B, T, C]`, y `[B, 1, C]`. */
export function lastStepAsSequence(x: Tensor): Tensor {
  return x.shape[1] === 1 ? x : x.backend.lastStep(x, true);
}

/** The sequence one step later; the first step goes to `first`, the last gets none. */
export const shiftTimeGradient: GradientRule<"shiftTime"> = ([x], _, [gy]) =>
  x.backend.backward.shiftTime(gy);

/** The last step gets gy, the others 0. */
export const lastStepGradient: GradientRule<"lastStep"> = ([x], _, [gy]) => [
  x.backend.backward.lastStep(gy, x.shape[1]),
];
