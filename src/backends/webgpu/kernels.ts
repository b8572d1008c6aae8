/**
 * The table of kernels: the compute shaders of all operations.
 *
 * @module
 */
import * as adamW from "../../ops/adam_w/shader.ts";
import * as arithmetic from "../../ops/arithmetic/shader.ts";
import * as attention from "../../ops/attention/shader.ts";
import * as attentionBackward from "../../ops/attention/shader_backward.ts";
import * as axes from "../../ops/axes/shader.ts";
import * as batch from "../../ops/batch/shader.ts";
import * as clip from "../../ops/clip/shader.ts";
import * as crossEntropy from "../../ops/cross_entropy/shader.ts";
import * as dropout from "../../ops/dropout/shader.ts";
import * as elementwise from "../../ops/elementwise/shader.ts";
import * as embedding from "../../ops/embedding/shader.ts";
import * as exponential from "../../ops/exponential/shader.ts";
import * as l2Normalize from "../../ops/l2_normalize/shader.ts";
import * as layerNorm from "../../ops/layer_norm/shader.ts";
import * as linear from "../../ops/linear/shader.ts";
import * as lstm from "../../ops/lstm/shader.ts";
import * as lstmBackward from "../../ops/lstm/shader_backward.ts";
import * as matmul from "../../ops/matmul/shader.ts";
import * as meanSquaredError from "../../ops/mean_squared_error/shader.ts";
import * as reduce from "../../ops/reduce/shader.ts";
import * as rotary from "../../ops/rotary/shader.ts";
import * as sample from "../../ops/sample/shader.ts";
import * as shiftTime from "../../ops/shift_time/shader.ts";
import * as softmax from "../../ops/softmax/shader.ts";
import * as wkv from "../../ops/wkv/shader.ts";
import type { Kernels } from "../kernels.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";

/** The functions that dispatch kernels: a GPU followed by the kernel's arguments. */
type Shaders = {
  readonly [K in keyof Kernels<GpuBlock>]: (
    gpu: Gpu,
    ...args: Parameters<Kernels<GpuBlock>[K]>
  ) => void;
};

const shaders: Shaders = {
  ...adamW,
  ...arithmetic,
  ...attention,
  ...attentionBackward,
  ...axes,
  ...batch,
  ...clip,
  ...crossEntropy,
  ...dropout,
  ...elementwise,
  ...embedding,
  ...exponential,
  ...l2Normalize,
  ...layerNorm,
  ...linear,
  ...lstm,
  ...lstmBackward,
  ...matmul,
  ...meanSquaredError,
  ...reduce,
  ...rotary,
  ...sample,
  ...shiftTime,
  ...softmax,
  ...wkv,
};

/** Binds the kernels to a device. */
export function gpuKernels(gpu: Gpu): Kernels<GpuBlock> {
  // Skips constants that these files export; their other functions are bound too, but never used.
  const all = Object.entries<unknown>(shaders).filter(([, shader]) => typeof shader === "function");
  const bound = all.map(([name, shader]) => [name, (shader as (gpu: Gpu) => void).bind(null, gpu)]);
  return Object.fromEntries(bound) as unknown as Kernels<GpuBlock>;
}
