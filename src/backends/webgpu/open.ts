/**
 * Opens a backend on a GPU. This module contains all shaders, a third of the library, so it must only be imported
 * when a WebGPU backend is requested.
 *
 * @module
 */
import type { Backend } from "../../tensor.ts";
import { blockSize } from "../block_size.ts";
import { DeviceBackend } from "../device_backend.ts";
import { isSoftware, requestDevice } from "./adapter.ts";
import { type GpuBlock, GpuQueue } from "./gpu.ts";
import { gpuKernels } from "./kernels.ts";
import { GpuPool } from "./pool.ts";
import { replayOnGpu } from "./replay.ts";

/** Opens a backend with a device of its own. */
export async function openAdapter(adapter: GPUAdapter, options?: unknown): Promise<Backend> {
  const device = await requestDevice(adapter);
  return await openDevice(device, isSoftware(adapter.info), () => device.destroy(), options);
}

/**
 * Opens a backend on a device, which may be software. `close` is called when the backend is disposed of; `options`
 * create another one.
 */
export async function openDevice(
  device: GPUDevice,
  software: boolean,
  close: () => void,
  options?: unknown,
): Promise<Backend> {
  const pool = new GpuPool(device, () => queue.letGo());
  const queue = new GpuQueue(device, pool, software);
  // A microtask later, a lost device is known.
  await Promise.resolve();
  queue.check();
  const kernels = gpuKernels(queue);
  return new DeviceBackend<GpuBlock>({
    name: "webgpu",
    options,
    kernels,
    replayer: (calls) => replayOnGpu(calls, kernels as unknown as Record<string, () => void>, queue),
    capacityFor: (size) => blockSize(4 * size) / 4,
    // A driver that computes on the CPU does so during submission, and with small models dispatches take most of it.
    workAtOnce: software ? 2 ** 20 : Infinity,
    bytesFor: (size) => blockSize(4 * size),
    allocate(size) {
      queue.check();
      return pool.take(size);
    },
    release: (block, size) => pool.give(block, size),
    upload: (block, data) => queue.write(block, new Float32Array(data)),
    download: (block, size) => queue.read(block, size),
    expectZeros: (block, size, errorAt) => queue.expectZeros(block, size, errorAt),
    dispose() {
      queue.dispose();
      pool.dispose();
      close();
    },
  });
}
