/**
 * Sequences joined along time: how the key-value cache grows. The backends keep room behind a cache and append in
 * place where nobody else has gone on from it, so that a step costs its own rows and not the whole past.
 *
 * @module
 */
import { checkShape, sharedBackend } from "../../check.ts";
import type { GradientRule, Tensor } from "../../tensor.ts";

/**
 * Joins two sequences along time: `y = past ++ x`. The past stays as it is, and can be gone on from again.
 *
 * @param past `[B, T, C]`, T may be 0
 * @param x `[B, S, C]`
 * @returns y `[B, T + S, C]`
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { appendTime, read, tensor } from "@seqmix/seqmix";
 *
 * const y = appendTime(tensor([1, 2], [1, 2, 1]), tensor([3], [1, 1, 1]));
 * console.log(y.shape, await read(y)); // [ 1, 3, 1 ] Float32Array [ 1, 2, 3 ]
 * ```
 */
export function appendTime(past: Tensor, x: Tensor): Tensor {
  checkShape("append time", "past", past, "B", "T", "C");
  checkShape("append time", "x", x, past.shape[0], "S", past.shape[2]);
  return sharedBackend("append time", "past, x", past, x).appendTime(past, x);
}

/** Each gets the steps that it brought. */
export const appendTimeGradient: GradientRule<"appendTime"> = ([past, x], _, [gy]) =>
  x.backend.backward.appendTime(gy, past.shape[1]);
