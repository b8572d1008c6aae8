/**
 * The compute shaders of all operations as one table of kernels.
 *
 * @module
 */
import { attention } from "../../ops/attention/shader.ts";
import { copyRows } from "../../ops/batch/shader.ts";
import { crossEntropy } from "../../ops/cross_entropy/shader.ts";
import {
  add,
  gelu,
  mix,
  multiply,
  negativeExp,
  sigmoid,
  squaredRelu,
  tanh,
} from "../../ops/elementwise/shader.ts";
import { embedding } from "../../ops/embedding/shader.ts";
import { layerNorm } from "../../ops/layer_norm/shader.ts";
import { linear } from "../../ops/linear/shader.ts";
import { lstmRecurrence } from "../../ops/lstm/shader.ts";
import { rotary } from "../../ops/rotary/shader.ts";
import { sample } from "../../ops/sample/shader.ts";
import { lastStep, shiftTime } from "../../ops/shift_time/shader.ts";
import { softmax } from "../../ops/softmax/shader.ts";
import { wkv } from "../../ops/wkv/shader.ts";
import type { Kernels } from "../kernels.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";

/** Of these there are no shaders yet. */
type Missing = RowsBackward | TokenBackward | StepBackward | RecurrentBackward | Update;
type RowsBackward = "linearBackwardInput" | "linearBackwardWeight" | "layerNormBackward" | "mixBackward";
type TokenBackward = "embeddingBackward" | "softmaxBackward" | "crossEntropyBackward" | "rotaryBackward";
type StepBackward = `${"sigmoid" | "tanh" | "squaredRelu" | "gelu" | "shiftTime" | "lastStep"}Backward`;
type RecurrentBackward = "wkvBackward" | "attentionBackward" | "lstmRecurrenceBackward";
type Update = "adamW" | "sumOfSquares" | "clipToNorm";

/** A kernel's dispatches: the kernel's own arguments behind the GPU that they go to. */
type Shaders = {
  readonly [K in Exclude<keyof Kernels<GpuBlock>, "timeMix" | "channelMix" | Missing>]: (
    gpu: Gpu,
    ...args: Parameters<Kernels<GpuBlock>[K]>
  ) => void;
};

const shaders: Shaders = {
  embedding,
  linear,
  layerNorm,
  add,
  multiply,
  mix,
  sigmoid,
  tanh,
  squaredRelu,
  gelu,
  negativeExp,
  softmax,
  shiftTime,
  lastStep,
  wkv,
  rotary,
  attention,
  lstmRecurrence,
  crossEntropy,
  sample,
  copyRows,
};

/** The kernels of one device. */
export function gpuKernels(gpu: Gpu): Kernels<GpuBlock> {
  const all = Object.entries<(gpu: Gpu, ...args: never[]) => void>(shaders);
  const bound = all.map(([name, shader]) => [name, shader.bind(null, gpu)]);
  return Object.fromEntries(bound);
}
