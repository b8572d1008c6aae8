/**
 * Tensors, the backends that they live on, and differentiation: what everything else is written in.
 *
 * @example
 * ```ts
 * import { createWasm, put, read, tensor, valueAndGrad } from "@seqmix/seqmix/core";
 * import { crossEntropy, linear } from "@seqmix/seqmix/ops";
 *
 * using backend = await createWasm();
 * const x = await put(tensor([1, 2], [1, 1, 2]), backend);
 * const weight = await put(tensor([0.1, 0.2, 0.3, 0.4], [2, 2]), backend);
 * const { value, grads } = valueAndGrad((weight) => crossEntropy(linear(x, weight), [[1]]), weight);
 * console.log(await read(value), grads.shape); // the loss, and [ 2, 2 ]
 * ```
 *
 * @module
 */
export type { Backend, Floats, MemoryUse, Tensor } from "./tensor.ts";
export { put, read, readFloat64, tensor, zeros } from "./transfer.ts";
export {
  full,
  normal,
  type NormalOptions,
  ones,
  orthogonal,
  type OrthogonalOptions,
  uniform,
  type UniformOptions,
} from "./starts.ts";
export { summary } from "./summary.ts";
export { parameterCount, treeMap } from "./tree.ts";
export type { AbortSignalLike } from "./abort.ts";
export { type RandomSource, randomSource } from "./random.ts";
export { valueAndGrad } from "./autodiff/mod.ts";
export { customGradient } from "./autodiff/custom_gradient.ts";
export { compile, type Compiled } from "./runtime/compile.ts";

export { type BackendName, createBackend, type CreateBackendOptions } from "./backends/create.ts";
export { createWasm, type WasmOptions } from "./backends/wasm/mod.ts";
export { createWebGpu, type GpuDeviceLike, type WebGpuOptions } from "./backends/webgpu/mod.ts";
export { DeviceLostError } from "./backends/webgpu/device_lost_error.ts";
export { createReference, reference, type ReferenceOptions } from "./backends/reference/mod.ts";
