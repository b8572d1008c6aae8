/** The cases of every differentiable operation, by the name of its public function. */
import type { Case } from "../run_on_all.ts";
import { appendTimeCases } from "./append_time.ts";
import { broadcastCases, scaleByCases } from "./arithmetic.ts";
import { attentionCases, maskedAttentionCases, wholeAttentionCases } from "./attention.ts";
import { concatCases, expandCases, reshapeCases, reverseCases, sliceCases, transposeCases } from "./axes.ts";
import { batchCases } from "./batch.ts";
import { crossEntropyCases } from "./cross_entropy.ts";
import { dropoutCases } from "./dropout.ts";
import { elementwiseCases } from "./elementwise.ts";
import { embeddingCases } from "./embedding.ts";
import { groupNormCases } from "./group_norm.ts";
import { l2NormalizeCases } from "./l2_normalize.ts";
import { layerNormCases } from "./layer_norm.ts";
import { linearCases } from "./linear.ts";
import { lstmCases } from "./lstm.ts";
import { matmulCases } from "./matmul.ts";
import { meanSquaredErrorCases } from "./mean_squared_error.ts";
import { pickCases, placeCases } from "./pick.ts";
import { meanCases, sumCases } from "./reduce.ts";
import { rotaryAtCases, rotaryCases } from "./rotary.ts";
import { lastStepCases, shiftTimeCases } from "./shift_time.ts";
import { softmaxCases } from "./softmax.ts";
import { squaredNormCases } from "./squared_norm.ts";
import { wkvCases } from "./wkv.ts";

export const tables: Readonly<Record<string, readonly Case[]>> = {
  appendTime: appendTimeCases,
  attention: attentionCases,
  "attention() of all keys": wholeAttentionCases,
  concat: concatCases,
  crossEntropy: crossEntropyCases,
  dropout: dropoutCases,
  embedding: embeddingCases,
  expand: expandCases,
  groupNorm: groupNormCases,
  l2Normalize: l2NormalizeCases,
  lastStep: lastStepCases,
  layerNorm: layerNormCases,
  linear: linearCases,
  lstmRecurrence: lstmCases,
  "attention() with a mask": maskedAttentionCases,
  matmul: matmulCases,
  mean: meanCases,
  meanSquaredError: meanSquaredErrorCases,
  pick: pickCases,
  place: placeCases,
  reshape: reshapeCases,
  reverse: reverseCases,
  rotary: rotaryCases,
  rotaryAt: rotaryAtCases,
  scaleBy: scaleByCases,
  shiftTime: shiftTimeCases,
  slice: sliceCases,
  softmax: softmaxCases,
  squaredNorm: squaredNormCases,
  "stackStates() and sliceState": batchCases,
  sum: sumCases,
  transpose: transposeCases,
  wkv: wkvCases,
  ...broadcastCases,
  ...elementwiseCases,
};
