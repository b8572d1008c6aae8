/**
 * The start of a layer normalization, which is an operation: `layerNorm`.
 *
 * @module
 */
import { checkConfig, filled } from "../initialize.ts";
import type { LayerNormParams } from "../ops/layer_norm/mod.ts";

/** The size of a layer normalization. */
export interface LayerNormSizes {
  /** C */
  readonly channels: number;
}

/**
 * The parameters that `layerNorm` starts training with: the weight 1, the bias 0.
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
