/**
 * Shifts a sequence by a step, and copies its last step, on a GPU, with their gradients. All copy bits.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, runEach } from "../../backends/webgpu/wgsl.ts";

/** See `shiftTime` in `mod.ts`. */
function shiftTimeShader(): string {
  return bindings({
    sizes: ["size", "time", "channels"],
    outputs: ["y: u32"],
    inputs: ["x: u32", "first: u32"],
  }) + each(`let row = i / params.channels;
  if (row % params.time == 0u) {
    y[i] = first[row / params.time * params.channels + i % params.channels];
  } else {
    y[i] = x[i - params.channels];
  }`);
}

/** See `lastStep` in `mod.ts`. */
function lastStepShader(): string {
  return bindings({ sizes: ["size", "time", "channels"], outputs: ["y: u32"], inputs: ["x: u32"] }) +
    each(`let sequence = i / params.channels;
  y[i] = x[((sequence + 1u) * params.time - 1u) * params.channels + i % params.channels];`);
}

/**
 * The inputs are `first` and x, a sequence of time + 1 steps, of which the last does not affect y. See
 * `shiftTimeBackward` below.
 */
function shiftTimeBackwardShader(): string {
  return bindings({
    sizes: ["size", "time", "channels"],
    outputs: ["gx: u32", "gFirst: u32"],
    inputs: ["gy: u32"],
  }) + each(`let row = i / params.channels;
  let channel = i % params.channels;
  let sequence = row / (params.time + 1u);
  let step = row % (params.time + 1u);
  let at = (sequence * params.time + step) * params.channels + channel;
  var gradient = 0u;
  if (step < params.time) { gradient = gy[at]; }
  if (step == 0u) {
    gFirst[sequence * params.channels + channel] = gradient;
  } else {
    gx[at - params.channels] = gradient;
  }`);
}

/** See `lastStepBackward` below. */
function lastStepBackwardShader(): string {
  return bindings({ sizes: ["size", "time", "channels"], outputs: ["gx: u32"], inputs: ["gy: u32"] }) +
    each(`let row = i / params.channels;
  var gradient = 0u;
  if ((row + 1u) % params.time == 0u) {
    gradient = gy[row / params.time * params.channels + i % params.channels];
  }
  gx[i] = gradient;`);
}

const shiftTimeCode = shiftTimeShader();
const lastStepCode = lastStepShader();
const shiftTimeBackwardCode = shiftTimeBackwardShader();
const lastStepBackwardCode = lastStepBackwardShader();

/** y[t] = x[t - 1], and y[0] = first */
export function shiftTime(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  first: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  const size = batch * time * channels;
  runEach(gpu, shiftTimeCode, [y], [x, first], [size, time, channels]);
}

/** y = x[time - 1] */
export function lastStep(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  const size = batch * channels;
  runEach(gpu, lastStepCode, [y], [x], [size, time, channels]);
}

/** gx[t] = gy[t + 1] and 0 for the last step, gFirst = gy[0] */
export function shiftTimeBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gFirst: GpuBlock,
  gy: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  const size = batch * (time + 1) * channels;
  runEach(gpu, shiftTimeBackwardCode, [gx, gFirst], [gy], [size, time, channels]);
}

/** gx[time - 1] = gy, and 0 before */
export function lastStepBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gy: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  const size = batch * time * channels;
  runEach(gpu, lastStepBackwardCode, [gx], [gy], [size, time, channels]);
}
