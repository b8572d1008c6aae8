/**
 * The WebGPU backend: tensors in GPU buffers, kernels as compute shaders.
 *
 * @module
 */
import type { Backend } from "../../tensor.ts";
import { blockSize } from "../block_size.ts";
import { DeviceBackend } from "../device_backend.ts";
import { type GpuBlock, GpuQueue } from "./gpu.ts";
import { gpuKernels } from "./kernels.ts";
import { GpuPool } from "./pool.ts";

/** How a WebGPU backend is made. */
export interface WebGpuOptions {
  /** Which adapter, where there are several. */
  readonly powerPreference?: "low-power" | "high-performance";
  /** A device of the caller's own, which stays the caller's: disposing of the backend does not destroy it. */
  readonly device?: GPUDevice;
}

/**
 * A backend of WebGPU compute shaders. Operations return at once; {@linkcode read} waits for the GPU.
 *
 * @param options which adapter, or a device of one's own
 * @returns a backend with a device of its own
 * @throws {Error} (as a rejection) with the reason where there is no adapter
 *
 * @example Where there is a GPU
 * ```ts
 * import { createWebGpu, presets, put, read, rwkv } from "@seqmix/seqmix";
 *
 * try {
 *   using backend = await createWebGpu();
 *   const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 *   const { logits } = rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params));
 *   console.log((await read(logits)).length); // 192
 * } catch (reason) {
 *   console.log(reason);
 * }
 * ```
 */
export async function createWebGpu(options: WebGpuOptions = {}): Promise<Backend> {
  const device = options.device ?? await requestDevice(options.powerPreference);
  const pool = new GpuPool(device);
  const queue = new GpuQueue(device, pool);
  return new DeviceBackend<GpuBlock>({
    name: "webgpu",
    kernels: gpuKernels(queue),
    bytesFor: (size) => blockSize(4 * size),
    allocate: (size) => pool.take(size),
    release: (block, size) => pool.give(block, size),
    upload: (block, data) => queue.write(block, Float32Array.from(data)),
    download: (block, size) => queue.read(block, size),
    dispose: () => {
      queue.dispose();
      pool.dispose();
      if (options.device === undefined) device.destroy();
    },
  });
}

async function requestDevice(powerPreference?: GPUPowerPreference): Promise<GPUDevice> {
  const action = "create webgpu";
  if (globalThis.navigator?.gpu === undefined) {
    throw new Error(`Cannot ${action}: the runtime must have WebGPU, current runtime has no navigator.gpu`);
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference });
  if (adapter === null) {
    throw new Error(`Cannot ${action}: there must be a GPU adapter, current runtime offers none`);
  }
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = adapter.limits;
  return await adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension },
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
  });
}
