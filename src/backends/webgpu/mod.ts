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

/** A `GPUDevice`: the name is TypeScript's from version 6 on, and a page's alone. */
export interface GpuDeviceLike {
  /** Makes a buffer; and so on. */
  createBuffer(descriptor: never): object;
}

/** How a WebGPU backend is made. */
export interface WebGpuOptions {
  /** Which adapter, where there are several. */
  readonly powerPreference?: "low-power" | "high-performance" | undefined;
  /** A device of the caller's own, which stays the caller's: disposing of the backend does not destroy it. */
  readonly device?: GpuDeviceLike | undefined;
}

const optionNames: Names<WebGpuOptions> = { powerPreference: 0, device: 0 };

/**
 * A backend of WebGPU compute shaders. Operations return at once; {@linkcode read} waits for the GPU, and rejects where
 * the GPU reports an error of what was computed before. Once its device is lost, everything throws a
 * {@linkcode DeviceLostError}.
 *
 * @param options which adapter, or a device of one's own
 * @returns a backend of its own
 * @throws {TypeError} (as a rejection) on options that are none
 * @throws {Error} (as a rejection) with the reason where there is no adapter
 * @throws {DeviceLostError} (as a rejection) if the device that is given is lost already
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

/** Of devices that callers brought. */
const onSoftware = new WeakMap<GPUDevice, Promise<boolean>>();

/**
 * Whether a device computes on the CPU, by the adapter that the runtime offers: Deno 2.9.6 ends the process where a device is
 * asked for its `adapterInfo` after its adapter was collected.
 */
function isOnSoftware(device: GPUDevice): Promise<boolean> {
  let answer = onSoftware.get(device);
  if (answer === undefined) {
    answer = requestAdapter().then(({ info }) => isSoftware(info), () => false);
    onSoftware.set(device, answer);
  }
  return answer;
}
