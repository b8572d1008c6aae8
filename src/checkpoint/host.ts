/**
 * Reads a tensor's numbers synchronously.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import { show } from "../check.ts";
import type { Floats, Tensor } from "../tensor.ts";

/**
 * Copies a tensor's numbers, for functions that can't wait for a device.
 *
 * @throws {TypeError} if the tensor lives on a device that can only be read asynchronously
 */
export function hostValues(action: string, t: Tensor): Floats {
  // An object with a backend and a shape, such as a config, is taken for a tensor up to this point.
  if (typeof engineOf(t.backend)?.download !== "function") {
    throw new TypeError(
      `Cannot ${action}: what has a backend and a shape must be a tensor, current backend is ${
        show(t.backend)
      }`,
    );
  }
  const values = engineOf(t.backend).download(t);
  if ("then" in values) {
    // The promise is not needed; an unhandled rejection would end the process.
    values.catch(() => {});
    throw new TypeError(
      `Cannot ${action}: tensors must live in host memory (move them with put), current backend is ${t.backend.name}`,
    );
  }
  return values;
}
