/**
 * Elementwise operations.
 *
 * @module
 */
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { computeBroadcast } from "../broadcast.ts";

/**
 * `y = a + b`, element by element.
 *
 * @param a any shape
 * @param b a's shape, or one that is broadcast with it as in NumPy: from the last on, sizes are equal, or one of them
 *   is 1 or missing
 * @returns y, of a's shape with b's sizes where a has 1
 * @throws {TypeError} if the shapes can't be broadcast, or the backends differ
 *
 * @example
 * ```ts
 * import { add, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(add(tensor([1, 2], [2]), tensor([10, 20], [2])))); // Float32Array(2) [ 11, 22 ]
 * ```
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return computeBroadcast(addOp, a, b);
}

export const addOp = defineOperation({
  name: "add",
  inputs: ["a: ...", "b: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: ({ grads: [gy] }) => [gy, gy],
});

/**
 * `y = a·b`, element by element.
 *
 * @param a any shape
 * @param b a's shape, or one that is broadcast with it as in NumPy: from the last on, sizes are equal, or one of them
 *   is 1 or missing
 * @returns y, of a's shape with b's sizes where a has 1
 * @throws {TypeError} if the shapes can't be broadcast, or the backends differ
 *
 * @example
 * ```ts
 * import { multiply, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(multiply(tensor([1, 2], [2]), tensor([10, 20], [2])))); // Float32Array(2) [ 10, 40 ]
 * ```
 */
export function multiply(a: Tensor, b: Tensor): Tensor {
  return computeBroadcast(multiplyOp, a, b);
}

export const multiplyOp = defineOperation({
  name: "multiply",
  inputs: ["a: ...", "b: ..."],
  outputs: ["y: ..."],
  sizes: ["..."],
  gradient: ({ inputs: [a, b], grads: [gy], wanted }) => [
    wanted[0] ? multiply(gy, b) : null,
    wanted[1] ? multiply(gy, a) : null,
  ],
});

/**
 * Interpolates between a step and the one before it, channel by channel: `y = x·ratio + before·(1 - ratio)`
 * (RWKV's token shift; Peng et al.: "RWKV: Reinventing RNNs for the Transformer Era", 2023, equations 11 to 13).
 *
 * @param x `[..., C]`
 * @param before x's shape; usually {@linkcode shiftTime} of x
 * @param ratio `[C]`
 * @returns y, of x's shape
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { mix, read, tensor } from "@seqmix/seqmix";
 *
 * const y = mix(tensor([1, 1], [1, 2]), tensor([5, 5], [1, 2]), tensor([0.25, 1], [2]));
 * console.log(await read(y)); // Float32Array(2) [ 4, 1 ]
 * ```
 */
export function mix(x: Tensor, before: Tensor, ratio: Tensor): Tensor {
  return compute(mixOp, [x, before, ratio])[0];
}

/** gx = gy·ratio, gBefore = gy·(1 - ratio), gRatio = Σ gy·(x - before). */
export const mixOp = defineOperation({
  name: "mix",
  inputs: ["x: ... C", "before: ... C", "ratio: C"],
  outputs: ["y: ... C"],
  sizes: ["...", "C"],
  gradient: { needs: ["x", "before", "ratio"], of: ["x", "before", "ratio"] },
});

/**
 * The logistic function, `y = 1 / (1 + e^-x)`, element by element.
 *
 * @param x any shape
 * @returns y, of x's shape, from 0 to 1
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { read, sigmoid, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(sigmoid(tensor([0], [1])))); // Float32Array(1) [ 0.5 ]
 * ```
 */
export function sigmoid(x: Tensor): Tensor {
  return compute(sigmoidOp, [x])[0];
}

/** gx = gy·y·(1 - y), computed from x, since y is rounded to 1 long before its slope is 0. */
export const sigmoidOp = elementwise("sigmoid", "compute sigmoid");

/**
 * The hyperbolic tangent, `y = tanh x`, element by element.
 *
 * @param x any shape
 * @returns y, of x's shape, from -1 to 1
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { read, tanh, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(tanh(tensor([0, Infinity], [2])))); // Float32Array(2) [ 0, 1 ]
 * ```
 */
export function tanh(x: Tensor): Tensor {
  return compute(tanhOp, [x])[0];
}

/** gx = gy·(1 - y²), computed from x, since y is rounded to 1 long before its slope is 0. */
export const tanhOp = elementwise("tanh", "compute tanh");

/**
 * The rectifier, `y = max(x, 0)`, element by element.
 *
 * @param x any shape
 * @returns y, of x's shape, at least 0
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { read, relu, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(relu(tensor([-2, 3], [2])))); // Float32Array(2) [ 0, 3 ]
 * ```
 */
export function relu(x: Tensor): Tensor {
  return compute(reluOp, [x])[0];
}

/** gx = gy where x is above 0, and 0 elsewhere. */
export const reluOp = elementwise("relu", "compute ReLU");

/**
 * The sigmoid linear unit, `y = x / (1 + e^-x)`, element by element (Elfwing, Uchibe, Doya: "Sigmoid-Weighted Linear
 * Units", 2018; also known as swish).
 *
 * @param x any shape
 * @returns y, of x's shape, at least -0.279
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { read, silu, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(silu(tensor([0, 100], [2])))); // Float32Array(2) [ 0, 100 ]
 * ```
 */
export function silu(x: Tensor): Tensor {
  return compute(siluOp, [x])[0];
}

/** With s = 1 / (1 + e^-x): gx = gy·s·(1 + x·(1 - s)). */
export const siluOp = elementwise("silu", "compute SiLU");

/**
 * `y = max(x, 0)²`, element by element (So et al.: "Primer", 2021).
 *
 * @param x any shape
 * @returns y, of x's shape, at least 0
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { read, squaredRelu, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(squaredRelu(tensor([-2, 3], [2])))); // Float32Array(2) [ 0, 9 ]
 * ```
 */
export function squaredRelu(x: Tensor): Tensor {
  return compute(squaredReluOp, [x])[0];
}

/** gx = 2·gy·max(x, 0). */
export const squaredReluOp = elementwise("squaredRelu", "compute squared ReLU");

/**
 * The Gaussian error linear unit in its tanh form, `y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, element by
 * element (Hendrycks, Gimpel: "Gaussian Error Linear Units", 2016; PyTorch's `gelu(approximate="tanh")`).
 *
 * @param x any shape
 * @returns y, of x's shape
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { gelu, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(gelu(tensor([0, 10], [2])))); // Float32Array(2) [ 0, 10 ]
 * ```
 */
export function gelu(x: Tensor): Tensor {
  return compute(geluOp, [x])[0];
}

/** With s = √(2/π)·(x + 0.044715 x³) and h = tanh s: gx = gy·(1 + h + x·(1 - h²)·s') / 2. */
export const geluOp = elementwise("gelu", "compute GELU");

/**
 * `y = -e^x`, element by element: the decay w of {@linkcode wkv} from RWKV-4's raw `time_decay`.
 *
 * @param x any shape
 * @returns y, of x's shape, below 0
 * @throws {TypeError} if x is not a tensor
 *
 * @example
 * ```ts
 * import { negativeExp, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(negativeExp(tensor([0], [1])))); // Float32Array(1) [ -1 ]
 * ```
 */
export function negativeExp(x: Tensor): Tensor {
  return compute(negativeExpOp, [x])[0];
}

/** gx = -gy·e^x, computed from x, since y may be infinite although the product is not. */
export const negativeExpOp = elementwise("negativeExp", "compute negative exponential");

/** Declares an elementwise operation on x whose gradient is computed from x. */
function elementwise<const N extends string>(name: N, action: string) {
  return defineOperation({
    name,
    action,
    inputs: ["x: ..."],
    outputs: ["y: ..."],
    sizes: ["..."],
    gradient: { needs: ["x"], of: ["x"] },
  });
}
