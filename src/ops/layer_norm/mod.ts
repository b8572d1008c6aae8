/**
 * Layer normalization of the last axis.
 *
 * @module
 */
import { checkLast, checkSameShape, checkShape, sharedBackend } from "../../check.ts";
import type { Backend, GradientRule, Tensor } from "../../tensor.ts";

/** The gain and the shift of a layer normalization. */
export interface LayerNormParams {
  /** `[C]` */
  readonly weight: Tensor;
  /** `[C]` */
  readonly bias: Tensor;
}

/** ε, what is added to the variance. */
export const epsilon = 1e-5;

/**
 * Normalizes the last axis: `y = (x - mean) / √(variance + ε) · weight + bias` with ε = 1e-5 and the variance
 * over C, not C - 1 (Ba, Kiros, Hinton: "Layer Normalization", 2016; PyTorch's `layer_norm`).
 *
 * @param params weight and bias `[C]`
 * @param x `[..., C]`
 * @returns y, of x's shape
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { layerNorm, read, tensor } from "@seqmix/seqmix";
 *
 * const params = { weight: tensor([1, 1], [2]), bias: tensor([0, 0], [2]) };
 * console.log(await read(layerNorm(params, tensor([3, 5], [1, 2])))); // about -1 and 1
 * ```
 */
export function layerNorm(params: LayerNormParams, x: Tensor): Tensor {
  return checkLayerNorm(params, x).layerNorm(x, params.weight, params.bias, epsilon);
}

/** Checks what {@linkcode layerNorm} is given; returns the backend on which it runs. */
export function checkLayerNorm({ weight, bias }: LayerNormParams, x: Tensor): Backend {
  const action = "normalize layer";
  checkShape(action, "weight", weight, "C");
  checkSameShape(action, "bias", bias, weight.shape);
  checkLast(action, "x", x, weight.shape[0]);
  return sharedBackend(action, "x, weight, bias", x, weight, bias);
}

/** With x̂ the normalized x and g = gy·weight: gx = (g - mean g - x̂ mean(g·x̂)) / √(variance + ε). */
export const layerNormGradient: GradientRule<"layerNorm"> = ([x, weight, , epsilon], _, [gy]) =>
  x.backend.backward.layerNorm(gy, x, weight, epsilon);
