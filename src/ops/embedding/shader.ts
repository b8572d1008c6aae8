/**
 * Rows of a table by their numbers, on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, groupsOfEach, nan } from "../../backends/webgpu/wgsl.ts";

/** See `embedding` in `mod.ts`. Rows are copied as bits. */
export function embeddingShader(): string {
  return bindings({
    sizes: ["size", "vocabulary", "channels"],
    outputs: ["y: u32"],
    inputs: ["ids", "weight: u32"],
  }) + nan + each(`let id = ids[i / params.channels];
  let known = !isNan(id) && id >= 0.0 && id < f32(params.vocabulary) && floor(id) == id;
  if (known) {
    y[i] = weight[u32(id) * params.channels + i % params.channels];
  } else {
    y[i] = 0x7fc00000u;
  }`);
}

const code = embeddingShader();

/** y[i] = weight[ids[i]]; an id that names no row gives NaN */
export function embedding(
  gpu: Gpu,
  y: GpuBlock,
  ids: GpuBlock,
  weight: GpuBlock,
  count: number,
  vocabulary: number,
  channels: number,
): void {
  const size = count * channels;
  gpu.dispatch({
    code,
    outputs: [y],
    inputs: [ids, weight],
    sizes: [size, vocabulary, channels],
    workgroups: groupsOfEach(size, gpu.limits),
  });
}
