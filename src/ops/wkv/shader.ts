/**
 * The WKV scan on a GPU: step by step where the channels alone fill the device, in chunks of time where they don't.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { wkvChunked } from "./chunked.ts";
import { wkvChunkedBackward } from "./chunked_backward.ts";
import { stepsAtOnce, wkvSerial } from "./serial.ts";

/** As many channels, of all sequences together, keep the memory of a large GPU busy on their own. */
const manyChannels = 16_384;
/** As many invocations keep it busy whatever they do; chunks beyond that only add sums to write and to read. */
const manyInvocations = 131_072;
/** Steps that take no longer than the two more dispatches that chunks need. */
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

/** See `wkvGradient` in `mod.ts`. */
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
  // Steps that are more than a dispatch may take one after another are chunks as well.
  const chunk = Math.min(Math.max(1, chunkFor(batch, channels, time, gpu.limits)), stepsAtOnce);
  wkvChunkedBackward(
    gpu,
    ...[gDecay, gBonus, gKey, gValue, gState] as const,
    ...[gy, gNextState, decay, bonus, key, value, state] as const,
    ...[batch, time, channels, chunk] as const,
  );
}

/**
 * How many steps a chunk has; all of them where chunks don't pay.
 *
 * Steps one after another move 12 bytes a step and channel and chunks 20, so chunks are for channels that are too few to
 * use the memory's bandwidth.
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
 * How many steps a chunk has where there are chunks: so many that all chunks together are enough to fill the device,
 * and no fewer than what keeps the scan of their sums, a 32nd of them one after another, below the work on a chunk.
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
    // The sums of all chunks are in one buffer, 16 bytes a chunk and channel.
    16 * batch * channels * time / limits.maxStorageBufferBindingSize,
  );
  return 8 * Math.ceil(shortest / 8);
}
