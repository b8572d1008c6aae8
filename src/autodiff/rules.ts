/**
 * The gradient rule of every operation that has one; each stands beside its operation.
 *
 * @module
 */
import { appendTimeGradient } from "../ops/append_time/mod.ts";
import { attentionGradient } from "../ops/attention/mod.ts";
import { concatBatchGradient, sliceBatchGradient } from "../ops/batch/mod.ts";
import { crossEntropyGradient } from "../ops/cross_entropy/mod.ts";
import {
  addGradient,
  geluGradient,
  mixGradient,
  multiplyGradient,
  negativeExpGradient,
  sigmoidGradient,
  squaredReluGradient,
  tanhGradient,
} from "../ops/elementwise/mod.ts";
import { embeddingGradient } from "../ops/embedding/mod.ts";
import { layerNormGradient } from "../ops/layer_norm/mod.ts";
import { linearGradient } from "../ops/linear/mod.ts";
import { lstmRecurrenceGradient } from "../ops/lstm/mod.ts";
import { rotaryGradient } from "../ops/rotary/mod.ts";
import { lastStepGradient, shiftTimeGradient } from "../ops/shift_time/mod.ts";
import { softmaxGradient } from "../ops/softmax/mod.ts";
import { wkvGradient } from "../ops/wkv/mod.ts";
import type { GradientRule, Operations } from "../tensor.ts";

/** The operations that go from tensors to tensors, all of which can be recorded. */
type Recorded = Exclude<keyof Operations, "upload" | "download" | "reserveTime">;

/**
 * Of each operation its gradient rule; `"constant"` where a result does not change smoothly with what it was made of, and
 * so has no gradient to pass on, `"none"` where nobody has written a rule.
 */
export const rules: { readonly [K in Recorded]: GradientRule<K> | "constant" | "none" } = {
  embedding: embeddingGradient,
  linear: linearGradient,
  layerNorm: layerNormGradient,
  add: addGradient,
  multiply: multiplyGradient,
  mix: mixGradient,
  sigmoid: sigmoidGradient,
  tanh: tanhGradient,
  squaredRelu: squaredReluGradient,
  gelu: geluGradient,
  negativeExp: negativeExpGradient,
  softmax: softmaxGradient,
  shiftTime: shiftTimeGradient,
  lastStep: lastStepGradient,
  appendTime: appendTimeGradient,
  wkv: wkvGradient,
  rotary: rotaryGradient,
  attention: attentionGradient,
  lstmRecurrence: lstmRecurrenceGradient,
  crossEntropy: crossEntropyGradient,
  sample: "constant",
  concatBatch: concatBatchGradient,
  sliceBatch: sliceBatchGradient,
  adamW: "none",
  norm: "none",
  clipToNorm: "none",
};
