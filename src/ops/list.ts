/**
 * All operations. The kernels' types, the exports of the WebAssembly module, the self-check and the tests follow
 * from this list.
 *
 * @module
 */
import { adamWOp } from "./adam_w/mod.ts";
import { appendTimeOp, sliceTimeOp } from "./append_time/mod.ts";
import { divideOp, scaleByOp, scaleOp, subtractOp } from "./arithmetic/mod.ts";
import { attentionOp } from "./attention/mod.ts";
import { concatOp, reshapeOp, reverseOp, sliceOp, transposeOp } from "./axes/mod.ts";
import { concatBatchOp, padBatchOp, sliceBatchOp } from "./batch/mod.ts";
import { clipToNormOp, normOp, squaredNormBackwardOp, squaredNormOp } from "./clip/mod.ts";
import { crossEntropyOp } from "./cross_entropy/mod.ts";
import { dropoutOp } from "./dropout/mod.ts";
import {
  addOp,
  geluOp,
  mixOp,
  multiplyOp,
  negativeExpOp,
  reluOp,
  sigmoidOp,
  siluOp,
  squaredReluOp,
  tanhOp,
} from "./elementwise/mod.ts";
import { embeddingOp } from "./embedding/mod.ts";
import { expOp, logOp, softplusOp } from "./exponential/mod.ts";
import { l2NormalizeOp } from "./l2_normalize/mod.ts";
import { groupNormOp, layerNormOp } from "./layer_norm/mod.ts";
import { linearBackwardInputOp, linearBackwardWeightOp, linearOp } from "./linear/mod.ts";
import { lstmRecurrenceBackwardOp, lstmRecurrenceOp } from "./lstm/mod.ts";
import { matmulOp } from "./matmul/mod.ts";
import { meanSquaredErrorOp } from "./mean_squared_error/mod.ts";
import { pickOp, placeOp } from "./pick/mod.ts";
import { expandOp, sumOp } from "./reduce/mod.ts";
import { rotaryAtOp, rotaryOp } from "./rotary/mod.ts";
import { sampleOp } from "./sample/mod.ts";
import { lastStepOp, shiftTimeOp } from "./shift_time/mod.ts";
import { softmaxOp } from "./softmax/mod.ts";
import { wkvOp } from "./wkv/mod.ts";

export const operations = [
  adamWOp,
  addOp,
  appendTimeOp,
  attentionOp,
  clipToNormOp,
  concatBatchOp,
  concatOp,
  crossEntropyOp,
  divideOp,
  dropoutOp,
  embeddingOp,
  expandOp,
  expOp,
  geluOp,
  groupNormOp,
  l2NormalizeOp,
  lastStepOp,
  layerNormOp,
  linearOp,
  linearBackwardInputOp,
  linearBackwardWeightOp,
  logOp,
  lstmRecurrenceOp,
  lstmRecurrenceBackwardOp,
  matmulOp,
  meanSquaredErrorOp,
  mixOp,
  multiplyOp,
  negativeExpOp,
  normOp,
  padBatchOp,
  pickOp,
  placeOp,
  reluOp,
  reshapeOp,
  reverseOp,
  rotaryOp,
  rotaryAtOp,
  sampleOp,
  scaleByOp,
  scaleOp,
  shiftTimeOp,
  sigmoidOp,
  siluOp,
  sliceBatchOp,
  sliceOp,
  sliceTimeOp,
  softmaxOp,
  softplusOp,
  squaredNormBackwardOp,
  squaredNormOp,
  squaredReluOp,
  subtractOp,
  sumOp,
  tanhOp,
  transposeOp,
  wkvOp,
] as const;
