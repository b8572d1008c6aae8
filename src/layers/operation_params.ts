/**
 * The initial parameters of `linear` and `layerNorm`, which are operations.
 *
 * @module
 */
import { show } from "../check.ts";
import { checkConfig, drawn, filled } from "../initialize.ts";
import { randomSource } from "../random.ts";
import type { LayerNormParams } from "../ops/layer_norm/mod.ts";
import type { Tensor } from "../tensor.ts";
import { linearStart } from "./starts.ts";

/** The parameters of a linear layer. */
export interface LinearParams {
  /** `[O, I]` */
  readonly weight: Tensor;
  /** `[O]`, if it has one. */
  readonly bias?: Tensor | undefined;
}

/** The sizes of a linear layer. */
export interface LinearSizes {
  /** I */
  readonly inputs: number;
  /** O */
  readonly outputs: number;
  /** Whether it has a bias; default false. */
  readonly bias?: boolean | undefined;
}

/**
 * The parameters that a linear layer starts training with, as the head of `lstmModel`: the weight uniform within ±1/√I
 * (PyTorch's `nn.Linear`), the bias, if there is one, 0.
 *
 * @param sizes `inputs`, `outputs`, and whether there is a `bias`
 * @param seed an integer from 0 to 2⁵³ - 1
 * @returns parameters on the reference, for `linear(x, weight, bias)`; `put` moves them
 * @throws {TypeError} if a size is not a number, or not known, or bias is not a boolean
 * @throws {RangeError} if a size or the seed is out of range, or memory is exhausted
 *
 * @example
 * ```ts
 * import { linear, linearInit, tensor } from "@seqmix/seqmix";
 *
 * const { weight, bias } = linearInit({ inputs: 2, outputs: 3, bias: true }, 1);
 * console.log(linear(tensor([1, 10], [1, 2]), weight, bias).shape); // [ 1, 3 ]
 * ```
 */
export function linearInit(sizes: LinearSizes, seed: number): LinearParams {
  const action = "initialize linear layer";
  checkConfig(action, sizes, ["inputs", "outputs"], ["bias"], "sizes");
  const { inputs, outputs, bias = false } = sizes;
  if (typeof bias !== "boolean") {
    throw new TypeError(`Cannot ${action}: sizes.bias must be a boolean, current value is ${show(bias)}`);
  }
  return drawn<LinearParams>(() => ({
    weight: linearStart(randomSource(seed), inputs, outputs),
    ...bias ? { bias: filled([outputs], () => 0) } : {},
  }));
}

/** The size of a layer normalization. */
export interface LayerNormSizes {
  /** C */
  readonly channels: number;
}

/**
 * The parameters that `layerNorm` and `groupNorm` start training with: the weight 1, the bias 0.
 *
 * @param sizes `channels`
 * @returns parameters on the reference; `put` moves them
 * @throws {TypeError} if the size is not a number, or not known
 * @throws {RangeError} if it is not an integer of at least 1, or memory is exhausted
 *
 * @example
 * ```ts
 * import { layerNorm, layerNormInit, read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(layerNorm(tensor([3, 5], [1, 2]), layerNormInit({ channels: 2 })))); // about -1 and 1
 * ```
 */
export function layerNormInit(sizes: LayerNormSizes): LayerNormParams {
  checkConfig("initialize layer norm", sizes, ["channels"], [], "sizes");
  const shape = [sizes.channels];
  return { weight: filled(shape, () => 1), bias: filled(shape, () => 0) };
}
