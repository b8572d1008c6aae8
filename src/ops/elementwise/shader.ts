/**
 * Elementwise operations on a GPU, with their gradients.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { mendedSumsOf } from "../../backends/webgpu/sums.ts";
import {
  bindings,
  each,
  exponential,
  hyperbolicTangent,
  logistic,
  nan,
  runEach,
} from "../../backends/webgpu/wgsl.ts";

/** y = `value`, an expression in a[i] and b[i] */
function binaryShader(value: string): string {
  return bindings({ sizes: ["size"], outputs: ["y"], inputs: ["a", "b"] }) + each(`y[i] = ${value};`);
}

/** y = `value`, an expression in x[i]; `functions` are those that it calls */
function unaryShader(value: string, functions: string): string {
  return bindings({ sizes: ["size"], outputs: ["y"], inputs: ["x"] }) + functions + each(`y[i] = ${value};`);
}

/** See `mix` in `mod.ts`. */
function mixShader(): string {
  return bindings({ sizes: ["size", "channels"], outputs: ["y"], inputs: ["x", "before", "ratio"] }) +
    nan + each(`let share = ratio[i % params.channels];
  let sum = x[i] * share + before[i] * (1.0 - share);
  // Both products may overflow where their sum does not, or where it overflows to one sign.
  let small = (x[i] * 0x1p-64f) * (share * 0x1p-64f) + (before[i] * 0x1p-64f) * ((1.0 - share) * 0x1p-64f);
  y[i] = select((small * 0x1p64f) * 0x1p64f, sum, isFinite(sum));`);
}

/** gx = gy · `slope`, an expression in x[i]; `functions` are those that it calls */
function unaryBackwardShader(slope: string, functions: string): string {
  return bindings({ sizes: ["size"], outputs: ["gx"], inputs: ["gy", "x"] }) + functions +
    each(`gx[i] = gy[i] * ${slope};`);
}

/** The gradients of `mix` except that of the ratio. */
function mixBackwardShader(): string {
  return bindings({ sizes: ["size", "channels"], outputs: ["gx", "gBefore"], inputs: ["gy", "ratio"] }) +
    each(`let share = ratio[i % params.channels];
  gx[i] = gy[i] * share;
  gBefore[i] = gy[i] * (1.0 - share);`);
}

const positivePart = `
fn positivePart(x: f32) -> f32 {
  // Compares bits, from -0 to -infinity: a comparison of floats might treat NaN as negative.
  let bits = bitcast<u32>(x);
  return select(x, 0.0, bits >= 0x80000000u && bits <= 0xff800000u);
}
`;

/** The slope of the logistic function: y · (1 - y), but exact where y rounds to 1. */
const logisticSlope = `
fn logisticSlope(x: f32) -> f32 {
  let e = exponential(-abs(x));
  return e / ((1.0 + e) * (1.0 + e));
}
`;

const addCode = binaryShader("a[i] + b[i]");
const multiplyCode = binaryShader("a[i] * b[i]");
const mixCode = mixShader();
const sigmoidCode = unaryShader("logistic(x[i])", nan + exponential + logistic);
const tanhCode = unaryShader("hyperbolicTangent(x[i])", nan + exponential + hyperbolicTangent);
const reluCode = unaryShader("positivePart(x[i])", positivePart);
const siluCode = unaryShader(
  "silu(x[i])",
  `${nan}${exponential}${logistic}
fn silu(x: f32) -> f32 {
  // Far below 0 the result is 0; clamping avoids infinity times 0.
  return select(max(x, -110.0) * logistic(x), x, isNan(x));
}
`,
);
const squaredReluCode = unaryShader("positivePart(x[i]) * positivePart(x[i])", positivePart);
const geluCode = unaryShader(
  "gelu(x[i])",
  `${nan}${exponential}${logistic}
// (1 + tanh u) / 2 is the logistic function of 2u, which keeps its digits where x is far below 0.
fn gelu(x: f32) -> f32 {
  // Beyond ±100 the result is 0 or x; powers of x would overflow before x does.
  let near = clamp(x, -100.0, 100.0);
  let share = logistic(${2 * Math.sqrt(2 / Math.PI)} * (near + 0.044715 * near * near * near));
  return select(select(near, x, x > 0.0) * share, x, isNan(x));
}
`,
);
const negativeExpCode = unaryShader("-exponential(x[i])", nan + exponential);
const negativeExpBackwardCode = bindings({ sizes: ["size"], outputs: ["gx"], inputs: ["gy", "x"] }) + nan +
  exponential + each(`let half = 0.5 * x[i];
  // The square of e^88 exceeds all floats, but 0 times it is still 0.
  let e = exponential(select(min(half, 88.0), half, isNan(half)));
  gx[i] = (gy[i] * e) * -e;`);

const mixBackwardCode = mixBackwardShader();
const ratioSums = mendedSumsOf(["gy", "x", "before"], "gy[at] * (x[at] - before[at])", (i) => {
  const at = `(${i}) * params.columns + column`;
  return `wideProduct(wide(gy[${at}]), wideSum(wide(x[${at}]), negative(wide(before[${at}]))))`;
});
const sigmoidBackwardCode = unaryBackwardShader("logisticSlope(x[i])", nan + exponential + logisticSlope);
// tanh x = 2 · logistic(2x) - 1
const tanhBackwardCode = unaryBackwardShader(
  "4.0 * logisticSlope(2.0 * x[i])",
  nan + exponential + logisticSlope,
);
const reluBackwardCode = unaryBackwardShader(
  "reluSlope(x[i])",
  `${nan}${positivePart}
fn reluSlope(x: f32) -> f32 {
  let part = positivePart(x);
  return select(1.0, part, isNan(part) || part == 0.0);
}
`,
);
const siluBackwardCode = unaryBackwardShader(
  "siluSlope(x[i])",
  `${nan}${exponential}${logistic}${logisticSlope}
fn siluSlope(x: f32) -> f32 {
  // Beyond ±110 the slope is 0 or 1; clamping avoids infinity times 0.
  let near = clamp(x, -110.0, 110.0);
  return select(logistic(near) + near * logisticSlope(near), x, isNan(x));
}
`,
);
const squaredReluBackwardCode = unaryBackwardShader("2.0 * positivePart(x[i])", positivePart);
const geluBackwardCode = unaryBackwardShader(
  "geluSlope(x[i])",
  `${nan}${exponential}${logistic}${logisticSlope}
fn geluSlope(x: f32) -> f32 {
  // Beyond ±15 the slope is 0 or 1; powers of x would overflow before x does.
  let near = clamp(x, -15.0, 15.0);
  let square = near * near;
  let u = ${2 * Math.sqrt(2 / Math.PI)} * (near + 0.044715 * near * square);
  let inner = ${2 * Math.sqrt(2 / Math.PI)} * (1.0 + ${3 * 0.044715} * square);
  return select(logistic(u) + near * logisticSlope(u) * inner, x, isNan(x));
}
`,
);

/** y = a + b */
export function add(gpu: Gpu, y: GpuBlock, a: GpuBlock, b: GpuBlock, size: number): void {
  runEach(gpu, addCode, [y], [a, b], [size]);
}

/** y = a · b */
export function multiply(gpu: Gpu, y: GpuBlock, a: GpuBlock, b: GpuBlock, size: number): void {
  runEach(gpu, multiplyCode, [y], [a, b], [size]);
}

/** y = x · ratio + before · (1 - ratio), with one ratio for each channel */
export function mix(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  before: GpuBlock,
  ratio: GpuBlock,
  rows: number,
  channels: number,
): void {
  runEach(gpu, mixCode, [y], [x, before, ratio], [rows * channels, channels]);
}

/** y = 1 / (1 + e^-x) */
export function sigmoid(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, sigmoidCode, [y], [x], [size]);
}

/** y = tanh x */
export function tanh(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, tanhCode, [y], [x], [size]);
}

/** y = max(x, 0) */
export function relu(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, reluCode, [y], [x], [size]);
}

/** y = x / (1 + e^-x) */
export function silu(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, siluCode, [y], [x], [size]);
}

/** y = max(x, 0)² */
export function squaredRelu(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, squaredReluCode, [y], [x], [size]);
}

/** y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) */
export function gelu(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, geluCode, [y], [x], [size]);
}

/** y = -e^x */
export function negativeExp(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, negativeExpCode, [y], [x], [size]);
}

/** gx = gy · ratio, gBefore = gy · (1 - ratio), gRatio = Σ gy · (x - before) */
export function mixBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gBefore: GpuBlock,
  gRatio: GpuBlock,
  gy: GpuBlock,
  x: GpuBlock,
  before: GpuBlock,
  ratio: GpuBlock,
  rows: number,
  channels: number,
): void {
  runEach(gpu, mixBackwardCode, [gx, gBefore], [gy, ratio], [rows * channels, channels]);
  ratioSums(gpu, gRatio, [gy, x, before], rows, channels);
}

/** With e = e^-|x|: gx = gy · e / (1 + e)² */
export function sigmoidBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, sigmoidBackwardCode, [gx], [gy, x], [size]);
}

/** With e = e^-2|x|: gx = 4 · gy · e / (1 + e)² */
export function tanhBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, tanhBackwardCode, [gx], [gy, x], [size]);
}

/** gx = gy where x > 0, else 0 */
export function reluBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, reluBackwardCode, [gx], [gy, x], [size]);
}

/** With s = 1 / (1 + e^-x): gx = gy · s · (1 + x · (1 - s)) */
export function siluBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, siluBackwardCode, [gx], [gy, x], [size]);
}

/** gx = 2 · gy · max(x, 0) */
export function squaredReluBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, squaredReluBackwardCode, [gx], [gy, x], [size]);
}

/** With s = √(2/π) · (x + 0.044715 x³) and h = tanh s: gx = gy/2 · (1 + h + x · (1 - h²) · s') */
export function geluBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, geluBackwardCode, [gx], [gy, x], [size]);
}

/** gx = -gy · e^x, as two factors of e^(x/2), since e^x may overflow where the product does not */
export function negativeExpBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, negativeExpBackwardCode, [gx], [gy, x], [size]);
}
