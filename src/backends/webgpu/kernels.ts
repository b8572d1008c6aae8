/**
 * The compute shaders of all operations as one table of kernels.
 *
 * @module
 */
import { adamW } from "../../ops/adam_w/shader.ts";
import { attention } from "../../ops/attention/shader.ts";
import { attentionBackward } from "../../ops/attention/shader_backward.ts";
import { copyRows } from "../../ops/batch/shader.ts";
import { clipToNorm, norm } from "../../ops/clip/shader.ts";
import { crossEntropy, crossEntropyBackward } from "../../ops/cross_entropy/shader.ts";
import {
  add,
  gelu,
  geluBackward,
  mix,
  mixBackward,
  multiply,
  negativeExp,
  negativeExpBackward,
  sigmoid,
  sigmoidBackward,
  squaredRelu,
  squaredReluBackward,
  tanh,
  tanhBackward,
} from "../../ops/elementwise/shader.ts";
import { embedding, embeddingBackward } from "../../ops/embedding/shader.ts";
import { layerNorm, layerNormBackward } from "../../ops/layer_norm/shader.ts";
import { linear, linearBackwardInput, linearBackwardWeight } from "../../ops/linear/shader.ts";
import { lstmRecurrence } from "../../ops/lstm/shader.ts";
import { lstmRecurrenceBackward } from "../../ops/lstm/shader_backward.ts";
import { rotary, rotaryBackward } from "../../ops/rotary/shader.ts";
import { sample } from "../../ops/sample/shader.ts";
import { lastStep, lastStepBackward, shiftTime, shiftTimeBackward } from "../../ops/shift_time/shader.ts";
import { softmax, softmaxBackward } from "../../ops/softmax/shader.ts";
import { wkv, wkvBackward } from "../../ops/wkv/shader.ts";
import type { Kernels } from "../kernels.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";

/** A kernel's dispatches: the kernel's own arguments behind the GPU that they go to. */
type Shaders = {
  readonly [K in keyof Kernels<GpuBlock>]: (
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
  negativeExpBackward,
  softmax,
  shiftTime,
  lastStep,
  wkv,
  rotary,
  attention,
  lstmRecurrence,
  crossEntropy,
  sample,
  embeddingBackward,
  linearBackwardInput,
  linearBackwardWeight,
  layerNormBackward,
  mixBackward,
  sigmoidBackward,
  tanhBackward,
  squaredReluBackward,
  geluBackward,
  softmaxBackward,
  shiftTimeBackward,
  lastStepBackward,
  wkvBackward,
  rotaryBackward,
  attentionBackward,
  lstmRecurrenceBackward,
  crossEntropyBackward,
  adamW,
  norm,
  clipToNorm,
  copyRows,
};

/** The kernels of one device. */
export function gpuKernels(gpu: Gpu): Kernels<GpuBlock> {
  const all = Object.entries<(gpu: Gpu, ...args: never[]) => void>(shaders);
  const bound = all.map(([name, shader]) => [name, shader.bind(null, gpu)]);
  return Object.fromEntries(bound);
}
