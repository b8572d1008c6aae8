/**
 * Chooses a GPU and requests its limits and features.
 *
 * @module
 */

/**
 * Requests the runtime's adapter.
 *
 * @throws {Error} (as a rejection) with the reason if there is none
 */
export async function requestAdapter(powerPreference?: GPUPowerPreference): Promise<GPUAdapter> {
  const action = "create webgpu";
  if (globalThis.navigator?.gpu === undefined) {
    throw new Error(`Cannot ${action}: the runtime must have WebGPU, current runtime has no navigator.gpu`);
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference });
  if (adapter === null) {
    throw new Error(`Cannot ${action}: there must be a GPU adapter, current runtime offers none`);
  }
  return adapter;
}

/** Requests a device with buffers as large as the adapter allows, and timestamps if supported. */
export function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
  });
}

/** Names of drivers that compute on the CPU; not all runtimes report them as fallback adapters. */
const softwareNames = /llvmpipe|lavapipe|softpipe|swiftshader|basic render|\bwarp\b/i;

/** Whether an adapter computes on the CPU, in which case WebAssembly is faster. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter === true || softwareNames.test(namesOf(info).join(" "));
}

/** The name of an adapter; browsers only report vendor and architecture. */
export function describeAdapter(info: GPUAdapterInfo): string {
  const { vendor, architecture, description } = info;
  return description || [vendor, architecture].filter((name) => name !== "").join(" ") ||
    "a GPU without a name";
}

function namesOf({ vendor, architecture, device, description }: GPUAdapterInfo): string[] {
  return [vendor, architecture, device, description];
}
