/**
 * The exponential function, the natural logarithm and softplus, which is made of both.
 *
 * @module
 */
import { compute, run } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { divideOp } from "../arithmetic/mod.ts";

/**
 * `y = e^x`, element by element.
 *
 * @param x any shape
 * @returns y, of x's shape, at least 0
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { exp, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(exp(tensor([0, -Infinity], [2])))); // Float32Array(2) [ 1, 0 ]
 * ```
 */
export function exp(x: Tensor): Tensor {
  return compute(expOp, [x])[0];
}

/** gx = gy·e^x, of x, since y is infinite where the product need not be. */
export const expOp = defineOperation({
  name: "exp",
  action: "compute exponential",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: { needs: ["x"], of: ["x"] },
});

/**
 * The natural logarithm, `y = ln x`, element by element: -∞ at 0, NaN below.
 *
 * @param x any shape
 * @returns y, of x's shape
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { log, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(log(tensor([1, 0], [2])))); // Float32Array(2) [ 0, -Infinity ]
 * ```
 */
export function log(x: Tensor): Tensor {
  return compute(logOp, [x])[0];
}

/** gx = gy/x. */
export const logOp = defineOperation({
  name: "log",
  action: "compute logarithm",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: ({ inputs: [x], grads: [gy] }) => run(divideOp, [gy, x]),
  example: { x: (normal) => 0.1 + Math.abs(normal) },
});

/**
 * A smooth rectifier, `y = ln(1 + e^x)`, element by element, without overflow at either end (Dugas et al.:
 * "Incorporating Second-Order Functional Knowledge for Better Option Pricing", 2001).
 *
 * @param x any shape
 * @returns y, of x's shape, at least 0
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { read, softplus, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(softplus(tensor([-Infinity, 1000], [2])))); // Float32Array(2) [ 0, 1000 ]
 * ```
 */
export function softplus(x: Tensor): Tensor {
  return compute(softplusOp, [x])[0];
}

/** gx = gy / (1 + e^-x). */
export const softplusOp = defineOperation({
  name: "softplus",
  action: "compute softplus",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: { needs: ["x"], of: ["x"] },
});
