/**
 * The start of a linear layer, which is an operation: `linear`.
 *
 * @module
 */
import { show } from "../check.ts";
import { checkConfig, drawn, filled } from "../initialize.ts";
import { randomSource } from "../random.ts";
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
 * @throws {RangeError} if a size is not an integer of at least 1, or the seed one of at least 0, or memory is exhausted
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
