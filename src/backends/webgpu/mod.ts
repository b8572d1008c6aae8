/**
 * The WebGPU backend: tensors in GPU buffers, kernels as compute shaders.
 *
 * @module
 */
import { show } from "../../check.ts";
import { checkNames, type Names } from "../../names.ts";
import type { Backend } from "../../tensor.ts";
import { loadWebGpu } from "../load.ts";
import { isSoftware, requestAdapter } from "./adapter.ts";

/** A `GPUDevice`. TypeScript has the type from version 6 on, and only for pages. */
export interface GpuDeviceLike {
  /** Creates a buffer. The other members are not listed. */
  createBuffer(descriptor: never): object;
}

/** Options of a WebGPU backend. */
export interface WebGpuOptions {
  /** The preferred adapter, if there are several. */
  readonly powerPreference?: "low-power" | "high-performance" | undefined;
  /** An existing device. The caller keeps it: disposing of the backend does not destroy it. */
  readonly device?: GpuDeviceLike | undefined;
}

const optionNames: Names<WebGpuOptions> = { powerPreference: 0, device: 0 };

/**
 * A backend of WebGPU compute shaders. Operations return at once; {@linkcode read} waits for the GPU, and rejects
 * if the GPU reports an error of an earlier computation. Once its device is lost, every call throws a
 * {@linkcode DeviceLostError}.
 *
 * @param options the preferred adapter, or an existing device
 * @returns a new backend
 * @throws {TypeError} (as a rejection) on invalid options
 * @throws {Error} (as a rejection) with the reason if there is no adapter
 * @throws {DeviceLostError} (as a rejection) if the given device is lost
 *
 * @example If there is a GPU
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
  checkNames("create webgpu", options, optionNames);
  const { powerPreference, device } = options;
  if (
    powerPreference !== undefined && powerPreference !== "low-power" && powerPreference !== "high-performance"
  ) {
    throw new TypeError(
      `Cannot create webgpu: powerPreference must be "low-power" or "high-performance", current powerPreference is ${
        show(powerPreference)
      }`,
    );
  }
  if (device === undefined) {
    const adapter = await requestAdapter(powerPreference);
    const { openAdapter } = await loadWebGpu();
    return await openAdapter(adapter, { powerPreference });
  }
  if (typeof device?.createBuffer !== "function") {
    throw new TypeError(`Cannot create webgpu: device must be a GPUDevice, current value is ${show(device)}`);
  }
  const { openDevice } = await loadWebGpu();
  return await openDevice(device as GPUDevice, await isOnSoftware(device as GPUDevice), () => {});
}

/** For devices that callers provided. */
const onSoftware = new WeakMap<GPUDevice, Promise<boolean>>();

/**
 * Whether a device computes on the CPU, judged by the runtime's adapter: Deno 2.9.6 ends the process if
 * `adapterInfo` of a device is read after its adapter was garbage-collected.
 */
function isOnSoftware(device: GPUDevice): Promise<boolean> {
  let answer = onSoftware.get(device);
  if (answer === undefined) {
    answer = requestAdapter().then(({ info }) => isSoftware(info), () => false);
    onSoftware.set(device, answer);
  }
  return answer;
}
