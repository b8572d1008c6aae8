/**
 * The error for a lost device.
 *
 * @module
 */

/**
 * The device of a WebGPU backend was lost together with its tensors: the driver was reset, the GPU was unplugged,
 * or the device was destroyed. Every later call of the backend throws this error. Create a new backend to continue.
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
