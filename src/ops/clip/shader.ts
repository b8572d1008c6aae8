/**
 * The norm of a gradient, and a gradient at a bounded norm, on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumsOf } from "../../backends/webgpu/sums.ts";
import { bindings, each, nan, runEach } from "../../backends/webgpu/wgsl.ts";

/** y = x · min(1, maxNorm / (√sumOfSquares + 1e-6)); a norm that is NaN shows. */
export function clipShader(): string {
  return bindings({
    sizes: ["size"],
    constants: ["maxNorm"],
    outputs: ["y"],
    inputs: ["x", "sumOfSquares"],
  }) + nan + each(`let square = sumOfSquares[0];
  let factor = min(1.0, params.maxNorm / (sqrt(square) + 1e-6));
  y[i] = x[i] * select(factor, square, isNan(square));`);
}

const code = clipShader();
const squares = sumsOf(["x"], "x[at] * x[at]");

/** y = Σ x² */
export function sumOfSquares(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  squares(gpu, y, [x], size, 1);
}

/** y = x · min(1, maxNorm / (√sumOfSquares + 1e-6)) */
export function clipToNorm(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  sumOfSquares: GpuBlock,
  size: number,
  maxNorm: number,
): void {
  runEach(gpu, code, [y], [x, sumOfSquares], [size], [maxNorm]);
}
