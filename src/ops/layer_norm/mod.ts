/**
 * Layer normalization of the last axis, as a whole or in groups.
 *
 * @module
 */
import { checkInteger, checkNumber, isTensor, wrongOrder } from "../../check.ts";
import { check, checkShapes, compute } from "../../compute.ts";
import { checkNames, type Names } from "../../names.ts";
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

/** Options of {@linkcode groupNorm}. */
export interface GroupNormOptions {
  /** ε, what is added to the variance; default 1e-5. */
  readonly epsilon?: number | undefined;
}

const optionNames: Names<GroupNormOptions> = { epsilon: 0 };

/**
 * Normalizes each of G groups of C/G neighbouring channels by itself: `y = (x - mean) / √(variance + ε) · weight +
 * bias`, with the mean and the variance of the group (Wu, He: "Group Normalization", 2018; PyTorch's `group_norm` of
 * `[N, C]`). With one group it is `layerNorm`; RWKV has one for each head.
 *
 * @param x `[..., C]`
 * @param params weight and bias `[C]`
 * @param groups G, which divides C
 * @param options `epsilon`
 * @returns y, of x's shape
 * @throws {TypeError} on other shapes, tensors of two backends, or an unknown option
 * @throws {RangeError} if groups is not an integer of at least 1 that divides C, or epsilon is negative or not finite
 *
 * @example
 * ```ts
 * import { groupNorm, layerNormInit, read, tensor } from "@seqmix/seqmix";
 *
 * const params = layerNormInit({ channels: 4 });
 * console.log(await read(groupNorm(tensor([3, 5, 10, 20], [1, 4]), params, 2))); // about -1, 1, -1 and 1
 * ```
 */
export function groupNorm(
  x: Tensor,
  params: LayerNormParams,
  groups: number,
  options: GroupNormOptions = {},
): Tensor {
  const { action } = groupNormOp, inputs = [x, params?.weight, params?.bias] as const;
  checkNames(action, options, optionNames);
  checkShapes(groupNormOp, inputs);
  const [channels] = params.weight.shape, { epsilon: added = epsilon } = options;
  checkInteger(action, "groups", groups, 1);
  if (channels % groups !== 0) {
    throw new RangeError(
      `Cannot ${action}: groups must divide C, current groups is ${groups} and C is ${channels}`,
    );
  }
  checkNumber(action, "epsilon", added);
  if (!(added >= 0 && added < Infinity)) {
    throw new RangeError(
      `Cannot ${action}: epsilon must be finite and at least 0, current epsilon is ${added}`,
    );
  }
  return compute(groupNormOp, inputs, [groups, added])[0];
}

/** As that of {@linkcode layerNormOp}, in each group. */
export const groupNormOp = defineOperation({
  name: "groupNorm",
  action: "normalize groups",
  inputs: ["x: ... C", "weight: C", "bias: C"],
  outputs: ["y: ... C"],
  sizes: ["...", "C"],
  constants: ["groups", "epsilon"],
  gradient: { needs: ["x", "weight"], of: ["x", "weight", "bias"] },
  example: { C: 15, groups: 3, epsilon },
});
