/**
 * Copies of views with strides, on a GPU, as bits.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, runEach } from "../../backends/webgpu/wgsl.ts";

const inner = [5, 4, 3, 2, 1];

// Negative strides wrap, as all integers of WGSL do.
const code = bindings({
  sizes: [
    "size",
    "yOffset",
    "xOffset",
    ...inner.map((axis) => `n${axis}`),
    "s0",
    ...inner.map((axis) => `s${axis}`),
  ],
  outputs: ["y: u32"],
  inputs: ["x: u32"],
}) + each(`var rest = i;
  var at = params.xOffset;
  ${
  inner.map((axis) => `at += (rest % params.n${axis}) * params.s${axis};\n  rest /= params.n${axis};`).join(
    "\n  ",
  )
}
  y[params.yOffset + i] = x[at + rest * params.s0];`);

/** y[yOffset ...] = a view of x with six axes: element i₀ … i₅ is x[xOffset + i₀·s₀ + … + i₅·s₅]. */
export function copyStrided(
  gpu: Gpu,
  y: GpuBlock,
  yOffset: number,
  x: GpuBlock,
  xOffset: number,
  n0: number,
  n1: number,
  n2: number,
  n3: number,
  n4: number,
  n5: number,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
  s4: number,
  s5: number,
): void {
  const size = n0 * n1 * n2 * n3 * n4 * n5;
  // As the words that uniforms are: the check of sizes takes no negative numbers either.
  const strides = [s0, s5, s4, s3, s2, s1].map((stride) => stride >>> 0);
  runEach(gpu, code, [y], [x], [size, yOffset, xOffset, n5, n4, n3, n2, n1, ...strides]);
}
