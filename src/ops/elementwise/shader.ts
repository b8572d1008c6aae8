/**
 * The operations on one element at a time, on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  exponential,
  groupsOfEach,
  hyperbolicTangent,
  logistic,
  nan,
} from "../../backends/webgpu/wgsl.ts";

/** y = `value`, an expression in a[i] and b[i] */
export function binaryShader(value: string): string {
  return bindings({ sizes: ["size"], outputs: ["y"], inputs: ["a", "b"] }) + each(`y[i] = ${value};`);
}

/** y = `value`, an expression in x[i]; with the functions that it calls */
export function unaryShader(value: string, functions: string): string {
  return bindings({ sizes: ["size"], outputs: ["y"], inputs: ["x"] }) + functions + each(`y[i] = ${value};`);
}

/** See `mix` in `mod.ts`. */
export function mixShader(): string {
  return bindings({ sizes: ["size", "channels"], outputs: ["y"], inputs: ["x", "before", "ratio"] }) +
    each(`let share = ratio[i % params.channels];
  y[i] = x[i] * share + before[i] * (1.0 - share);`);
}

const addCode = binaryShader("a[i] + b[i]");
const multiplyCode = binaryShader("a[i] * b[i]");
const mixCode = mixShader();
const sigmoidCode = unaryShader("logistic(x[i])", nan + exponential + logistic);
const tanhCode = unaryShader("hyperbolicTangent(x[i])", nan + exponential + hyperbolicTangent);
const squaredReluCode = unaryShader(
  "squaredRelu(x[i])",
  `
fn squaredRelu(x: f32) -> f32 {
  // By the bits, from -0 to -infinity: a comparison might take NaN for negative.
  let bits = bitcast<u32>(x);
  return select(x * x, 0.0, bits >= 0x80000000u && bits <= 0xff800000u);
}
`,
);
const geluCode = unaryShader(
  "gelu(x[i])",
  `${nan}${exponential}${logistic}
// (1 + tanh u) / 2 is the logistic function of 2u, which keeps what is left where x is far below 0.
fn gelu(x: f32) -> f32 {
  return x * logistic(${2 * Math.sqrt(2 / Math.PI)} * (x + 0.044715 * x * x * x));
}
`,
);
const negativeExpCode = unaryShader("-exponential(x[i])", nan + exponential);

/** y = a + b */
export function add(gpu: Gpu, y: GpuBlock, a: GpuBlock, b: GpuBlock, size: number): void {
  run(gpu, addCode, y, [a, b], [size]);
}

/** y = a · b */
export function multiply(gpu: Gpu, y: GpuBlock, a: GpuBlock, b: GpuBlock, size: number): void {
  run(gpu, multiplyCode, y, [a, b], [size]);
}

/** y = x · ratio + before · (1 - ratio), the ratio one a channel */
export function mix(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  before: GpuBlock,
  ratio: GpuBlock,
  rows: number,
  channels: number,
): void {
  run(gpu, mixCode, y, [x, before, ratio], [rows * channels, channels]);
}

/** y = 1 / (1 + e^-x) */
export function sigmoid(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  run(gpu, sigmoidCode, y, [x], [size]);
}

/** y = tanh x */
export function tanh(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  run(gpu, tanhCode, y, [x], [size]);
}

/** y = max(x, 0)² */
export function squaredRelu(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  run(gpu, squaredReluCode, y, [x], [size]);
}

/** y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) */
export function gelu(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  run(gpu, geluCode, y, [x], [size]);
}

/** y = -e^x */
export function negativeExp(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  run(gpu, negativeExpCode, y, [x], [size]);
}

/** `sizes` begins with the number of elements. */
function run(
  gpu: Gpu,
  code: string,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  sizes: readonly number[],
): void {
  gpu.dispatch({ code, outputs: [y], inputs, sizes, workgroups: groupsOfEach(sizes[0], gpu.limits) });
}
