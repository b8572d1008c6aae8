/**
 * A tensor's numbers, at once.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import { show } from "../check.ts";
import type { Floats, Tensor } from "../tensor.ts";

/**
 * Copies a tensor's numbers for a function that can't wait for a device.
 *
 * @throws {TypeError} if the tensor lives where reading takes time
 */
export function hostValues(action: string, t: Tensor): Floats {
  // A config that happens to have a backend and a shape passes for a tensor until here.
  if (typeof engineOf(t.backend)?.download !== "function") {
    throw new TypeError(
      `Cannot ${action}: what has a backend and a shape must be a tensor, current backend is ${
        show(t.backend)
      }`,
    );
  }
  const values = engineOf(t.backend).download(t);
  if ("then" in values) {
    // Nobody will wait for it, and a rejection that nobody hears ends the process.
    values.catch(() => {});
    throw new TypeError(
      `Cannot ${action}: tensors must live in host memory (move them with put), current backend is ${t.backend.name}`,
    );
  }
  return values;
}
