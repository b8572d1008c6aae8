/**
 * Layer normalization of the last axis.
 *
 * @module
 */
import { isTensor, wrongOrder } from "../../check.ts";
import { check, compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Backend, Tensor } from "../../tensor.ts";

/** The parameters of {@linkcode layerNorm}. */
export interface LayerNormParams {
  /** `[C]` */
  readonly weight: Tensor;
  /** `[C]` */
  readonly bias: Tensor;
}

/** ε, which is added to the variance. */
export const epsilon = 1e-5;

/**
 * Normalizes the last axis: `y = (x - mean) / √(variance + ε) · weight + bias` with ε = 1e-5 and the variance
 * over C, not C - 1 (Ba, Kiros, Hinton: "Layer Normalization", 2016; PyTorch's `layer_norm`).
 *
 * @param x `[..., C]`
 * @param params weight and bias `[C]`
 * @returns y, of x's shape
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { layerNorm, read, tensor } from "@seqmix/seqmix";
 *
 * const params = { weight: tensor([1, 1], [2]), bias: tensor([0, 0], [2]) };
 * console.log(await read(layerNorm(tensor([3, 5], [1, 2]), params))); // about -1 and 1
 * ```
 */
export function layerNorm(x: Tensor, params: LayerNormParams): Tensor {
  if (isTensor(params)) throw wrongOrder("normalize layer", "x, params");
  return compute(layerNormOp, [x, params?.weight, params?.bias], [epsilon])[0];
}

/** Checks the arguments of {@linkcode layerNorm}; returns the backend on which it runs. */
export function checkLayerNorm(x: Tensor, params: LayerNormParams): Backend {
  return check(layerNormOp, [x, params?.weight, params?.bias]);
}

/** With x̂ the normalized x and g = gy·weight: gx = (g - mean g - x̂ mean(g·x̂)) / √(variance + ε). */
export const layerNormOp = defineOperation({
  name: "layerNorm",
  action: "normalize layer",
  inputs: ["x: ... C", "weight: C", "bias: C"],
  outputs: ["y: ... C"],
  sizes: ["...", "C"],
  constants: ["epsilon"],
  gradient: { needs: ["x", "weight"], of: ["x", "weight", "bias"] },
  example: { epsilon },
});
