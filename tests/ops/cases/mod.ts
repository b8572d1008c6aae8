/** The cases of every differentiable operation, by the name of its public function. */
import type { Case } from "../run_on_all.ts";
import { appendTimeCases } from "./append_time.ts";
import { attentionCases, maskedAttentionCases, wholeAttentionCases } from "./attention.ts";
import { batchCases } from "./batch.ts";
import { crossEntropyCases } from "./cross_entropy.ts";
import { elementwiseCases } from "./elementwise.ts";
import { embeddingCases } from "./embedding.ts";
import { layerNormCases } from "./layer_norm.ts";
import { linearCases } from "./linear.ts";
import { lstmCases } from "./lstm.ts";
import { pickCases, placeCases } from "./pick.ts";
import { rotaryAtCases, rotaryCases } from "./rotary.ts";
import { lastStepCases, shiftTimeCases } from "./shift_time.ts";
import { softmaxCases } from "./softmax.ts";
import { wkvCases } from "./wkv.ts";

export const tables: Readonly<Record<string, readonly Case[]>> = {
  appendTime: appendTimeCases,
  attention: attentionCases,
  "attention() of all keys": wholeAttentionCases,
  crossEntropy: crossEntropyCases,
  embedding: embeddingCases,
  lastStep: lastStepCases,
  layerNorm: layerNormCases,
  linear: linearCases,
  lstmRecurrence: lstmCases,
  maskedAttention: maskedAttentionCases,
  pick: pickCases,
  place: placeCases,
  rotary: rotaryCases,
  rotaryAt: rotaryAtCases,
  shiftTime: shiftTimeCases,
  softmax: softmaxCases,
  "stackStates() and sliceState": batchCases,
  wkv: wkvCases,
  ...elementwiseCases,
};
