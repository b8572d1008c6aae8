/**
 * Memory that a kernel needs while it runs.
 *
 * @module
 */
import type { Device, Kernels } from "./kernels.ts";
import type { TensorStore } from "./tensor_store.ts";

/** Runs a kernel with the scratch memory that the device asks for at these sizes, if any, and gives that back. */
export function withScratch<M>(
  device: Device<M>,
  store: TensorStore<M>,
  name: keyof Kernels<M>,
  sizes: readonly number[],
  run: (...scratch: M[]) => void,
): void {
  const size = device.scratch?.[name]?.(...sizes) ?? 0;
  if (size === 0) {
    run();
    return;
  }
  const scratch = store.make([size]);
  run(scratch.memory);
  store.free(scratch);
}
