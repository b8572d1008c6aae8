/**
 * Copies of rows with strides, on a GPU, as bits.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, runEach } from "../../backends/webgpu/wgsl.ts";

/** Copies between two buffers, or within one, since no buffer may be bound for reading and writing at once. */
function copyRowsShader(inside: boolean): string {
  return bindings({
    sizes: ["size", "width", "yOffset", "yStride", "xOffset", "xStride"],
    outputs: ["y: u32"],
    inputs: inside ? [] : ["x: u32"],
  }) + each(`let row = i / params.width;
  let place = i % params.width;
  let value = ${inside ? "y" : "x"}[params.xOffset + row * params.xStride + place];
  y[params.yOffset + row * params.yStride + place] = value;`);
}

const code = copyRowsShader(false);
const insideCode = copyRowsShader(true);

/** Copies `rows` rows of `width` elements, with strides of `yStride` and `xStride` elements. */
export function copyRows(
  gpu: Gpu,
  y: GpuBlock,
  yOffset: number,
  yStride: number,
  x: GpuBlock,
  xOffset: number,
  xStride: number,
  rows: number,
  width: number,
): void {
  const inside = x.buffer === y.buffer;
  const sizes = [rows * width, width, yOffset, yStride, xOffset, xStride];
  runEach(gpu, inside ? insideCode : code, [y], inside ? [] : [x], sizes);
}
