/**
 * The compute shaders of all operations as one table of kernels.
 *
 * @module
 */
import type { Kernels } from "../kernels.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";

/** A kernel's dispatches: the kernel's own arguments behind the GPU that they go to. */
type Shaders = {
  readonly [K in keyof Kernels<GpuBlock>]: (gpu: Gpu, ...args: Parameters<Kernels<GpuBlock>[K]>) => void;
};

/** The kernels of one device. */
export function gpuKernels(gpu: Gpu): Kernels<GpuBlock> {
  const bound = Object.entries(shaders).map(([name, shader]) => [name, shader.bind(null, gpu)]);
  return Object.fromEntries(bound);
}
