/**
 * The error that tells of a lost device.
 *
 * @module
 */

/**
 * The device of a WebGPU backend is gone, and its tensors with it: the driver was reset, the GPU was unplugged, or
 * somebody destroyed the device. Every later call of the backend throws it. What helps is a new backend.
 *
 * @example
 * ```ts
 * import { DeviceLostError } from "@seqmix/seqmix";
 *
 * const isLost = (error: unknown) => error instanceof DeviceLostError;
 * console.log(isLost(new DeviceLostError("gone")), isLost(new Error("gone"))); // true false
 * ```
 */
export class DeviceLostError extends Error {
  /** `"DeviceLostError"` */
  override readonly name = "DeviceLostError";
}
