/**
 * A sequence one step later, and its last step, on a GPU. Both copy bits.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, groupsOfEach } from "../../backends/webgpu/wgsl.ts";

/** See `shiftTime` in `mod.ts`. */
export function shiftTimeShader(): string {
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
export function lastStepShader(): string {
  return bindings({ sizes: ["size", "time", "channels"], outputs: ["y: u32"], inputs: ["x: u32"] }) +
    each(`let sequence = i / params.channels;
  y[i] = x[((sequence + 1u) * params.time - 1u) * params.channels + i % params.channels];`);
}

const shiftTimeCode = shiftTimeShader();
const lastStepCode = lastStepShader();

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
  gpu.dispatch({
    code: shiftTimeCode,
    outputs: [y],
    inputs: [x, first],
    sizes: [size, time, channels],
    workgroups: groupsOfEach(size, gpu.limits),
  });
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
  gpu.dispatch({
    code: lastStepCode,
    outputs: [y],
    inputs: [x],
    sizes: [size, time, channels],
    workgroups: groupsOfEach(size, gpu.limits),
  });
}
