/**
 * Differences, quotients and multiples of tensors; sums and products are in `elementwise/`.
 *
 * @module
 */
import { isTensor, show } from "../../check.ts";
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { computeBroadcast } from "../broadcast.ts";
import { multiply } from "../elementwise/mod.ts";
import { sum } from "../reduce/mod.ts";

/**
 * `y = a - b`, element by element.
 *
 * @param a any shape
 * @param b a's shape, or one that broadcasts with it by NumPy's rules: compared from the last axis on, sizes are equal,
 *   or one of them is 1 or missing
 * @returns y, of the shape that both are broadcast to
 * @throws {TypeError} if the shapes can't be broadcast, or the backends differ
 *
 * @example
 * ```ts
 * import { read, subtract, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(subtract(tensor([10, 20], [2]), tensor([1, 2], [2])))); // Float32Array [ 9, 18 ]
 * ```
 */
export function subtract(a: Tensor, b: Tensor): Tensor {
  return computeBroadcast(subtractOp, a, b);
}

export const subtractOp = defineOperation({
  name: "subtract",
  inputs: ["a: ...", "b: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: ({ grads: [gy], wanted }) => [gy, wanted[1] ? scale(gy, -1) : null],
});

/**
 * `y = a/b`, element by element; as IEEE 754 says, `1/0` is infinite and `0/0` NaN.
 *
 * @param a any shape
 * @param b a's shape, or one that broadcasts with it by NumPy's rules: compared from the last axis on, sizes are equal,
 *   or one of them is 1 or missing
 * @returns y, of the shape that both are broadcast to
 * @throws {TypeError} if the shapes can't be broadcast, or the backends differ
 *
 * @example
 * ```ts
 * import { divide, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(divide(tensor([10, 20], [2]), tensor([4, 5], [2])))); // Float32Array [ 2.5, 4 ]
 * ```
 */
export function divide(a: Tensor, b: Tensor): Tensor {
  return computeBroadcast(divideOp, a, b);
}

/** ga = gy/b, gb = -(gy/b)·(a/b), since b² may be out of range where the quotient is not. */
export const divideOp = defineOperation({
  name: "divide",
  inputs: ["a: ...", "b: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: { needs: ["a", "b"], of: ["a", "b"] },
  example: { b: (x) => Math.sign(x) + x },
});

/**
 * `y = factor·x`, element by element.
 *
 * @param x any shape
 * @param factor a number, which is fixed when a function is compiled; or a tensor `[]`, which may change
 *   from call to call and has a gradient
 * @returns y, of x's shape
 * @throws {TypeError} if x is not a tensor, or factor neither a number nor a tensor `[]`
 *
 * @example
 * ```ts
 * import { read, scale, tensor } from "@seqmix/seqmix";
 *
 * const x = tensor([1, 2], [2]);
 * console.log(await read(scale(x, 3)), await read(scale(x, tensor([0.5], [])))); // [ 3, 6 ] [ 0.5, 1 ]
 * ```
 */
export function scale(x: Tensor, factor: number | Tensor): Tensor {
  if (typeof factor === "number") return compute(scaleOp, [x], [factor])[0];
  if (isTensor(factor)) return compute(scaleByOp, [x, factor])[0];
  throw new TypeError(
    `Cannot scale: factor must be a number or a tensor [], current value is ${show(factor)}`,
  );
}

/** gx = factor·gy. */
export const scaleOp = defineOperation({
  name: "scale",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  constants: ["factor"],
  gradient: ({ grads: [gy], constants: [factor] }) => [scale(gy, factor)],
  example: { factor: [2.5, -0.3] },
});

/** gx = factor·gy, gFactor = Σ gy·x. */
export const scaleByOp = defineOperation({
  name: "scaleBy",
  action: "scale",
  inputs: ["x: ...", "factor:"],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: ({ inputs: [x, factor], grads: [gy], wanted }) => [
    wanted[0] ? scale(gy, factor) : null,
    wanted[1] ? sum(multiply(gy, x)) : null,
  ],
});
