/**
 * Operations on tensors, from which layers are composed. Each runs on the backend of its tensors and can be
 * differentiated.
 *
 * @example
 * ```ts
 * import { read, tensor } from "@seqmix/seqmix/core";
 * import { linear, softmax } from "@seqmix/seqmix/ops";
 *
 * const x = tensor([1, 2], [1, 2]), weight = tensor([1, 0, 0, 1, 1, 1], [3, 2]);
 * console.log(await read(softmax(linear(x, weight)))); // three probabilities
 * ```
 *
 * @module
 */
export { appendTime } from "./append_time/mod.ts";
export { divide, scale, subtract } from "./arithmetic/mod.ts";
export { attention, type AttentionOptions } from "./attention/mod.ts";
export { concat, reshape, reverse, slice, transpose } from "./axes/mod.ts";
export { sliceState, stackStates } from "./batch/mod.ts";
export { crossEntropy } from "./cross_entropy/mod.ts";
export { dropout, type DropoutOptions } from "./dropout/mod.ts";
export {
  add,
  gelu,
  mix,
  multiply,
  negativeExp,
  relu,
  sigmoid,
  silu,
  squaredRelu,
  tanh,
} from "./elementwise/mod.ts";
export { embedding, type Tokens } from "./embedding/mod.ts";
export { exp, log, softplus } from "./exponential/mod.ts";
export { l2Normalize } from "./l2_normalize/mod.ts";
export { groupNorm, type GroupNormOptions, layerNorm, type LayerNormParams } from "./layer_norm/mod.ts";
export { linear } from "./linear/mod.ts";
export { lstmRecurrence } from "./lstm/mod.ts";
export { matmul } from "./matmul/mod.ts";
export { meanSquaredError } from "./mean_squared_error/mod.ts";
export { mean, sum } from "./reduce/mod.ts";
export { rotary, type RotaryOptions } from "./rotary/mod.ts";
export { sample, type SampleOptions } from "./sample/mod.ts";
export { lastStep, shiftTime } from "./shift_time/mod.ts";
export { softmax } from "./softmax/mod.ts";
export { wkv, wkvState } from "./wkv/mod.ts";
