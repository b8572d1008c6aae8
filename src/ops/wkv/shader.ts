/**
 * The WKV scan on a GPU: step by step if the channels alone fill the device, otherwise in chunks of time.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { wkvChunked } from "./chunked.ts";
import { wkvChunkedBackward } from "./chunked_backward.ts";
import { stepsAtOnce, wkvSerial } from "./serial.ts";

/** The number of channels, over all sequences, that saturates the memory of a large GPU. */
const manyChannels = 16_384;
/** The number of invocations that saturates it in any case; chunks beyond that only add sums to write and read. */
const manyInvocations = 131_072;
/** The number of steps that take as long as the two additional dispatches for chunks. */
const fewSteps = 256;

/** See `wkv` in `mod.ts`. */
export function wkv(
  gpu: Gpu,
  y: GpuBlock,
  nextState: GpuBlock,
  decay: GpuBlock,
  bonus: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  state: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  const chunk = chunkFor(batch, channels, time, gpu.limits);
  if (chunk < time) {
    wkvChunked(gpu, y, nextState, decay, bonus, key, value, state, batch, time, channels, chunk);
  } else {
    wkvSerial(gpu, y, nextState, decay, bonus, key, value, state, batch, time, channels);
  }
}

/** See `wkvOp` in `mod.ts`. */
export function wkvBackward(
  gpu: Gpu,
  gDecay: GpuBlock,
  gBonus: GpuBlock,
  gKey: GpuBlock,
  gValue: GpuBlock,
  gState: GpuBlock,
  gy: GpuBlock,
  gNextState: GpuBlock,
  decay: GpuBlock,
  bonus: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  state: GpuBlock,
  _y: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  // A chunk must not exceed the steps of a dispatch.
  const chunk = Math.min(Math.max(1, chunkFor(batch, channels, time, gpu.limits)), stepsAtOnce);
  wkvChunkedBackward(
    gpu,
    ...[gDecay, gBonus, gKey, gValue, gState] as const,
    ...[gy, gNextState, decay, bonus, key, value, state] as const,
    ...[batch, time, channels, chunk] as const,
  );
}

/**
 * The number of steps in a chunk; all steps if chunks don't pay.
 *
 * The serial scan moves 12 bytes for each step and channel, chunks move 20, so chunks pay if the channels are too
 * few to use the memory's bandwidth.
 */
export function chunkFor(
  batch: number,
  channels: number,
  time: number,
  limits: Pick<GPUSupportedLimits, "maxStorageBufferBindingSize">,
): number {
  if (batch * channels >= manyChannels || time < fewSteps) return time;
  return Math.min(time, bestChunk(batch, channels, time, limits));
}

/**
 * The number of steps in a chunk if there are chunks: short enough that all chunks together fill the device, and
 * long enough that the serial part of the scan of their sums, a 32nd of them, takes less time than a chunk.
 */
export function bestChunk(
  batch: number,
  channels: number,
  time: number,
  limits: Pick<GPUSupportedLimits, "maxStorageBufferBindingSize">,
): number {
  const shortest = Math.max(
    32,
    time * batch * channels / manyInvocations,
    Math.sqrt(time / 32),
    // The sums of all chunks are in one buffer, with 16 bytes for each chunk and channel.
    16 * batch * channels * time / limits.maxStorageBufferBindingSize,
  );
  return 8 * Math.ceil(shortest / 8);
}
