/**
 * The exponential function, the logarithm and softplus on a GPU, with their gradients.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  exponential,
  logarithm,
  logistic,
  nan,
  runEach,
} from "../../backends/webgpu/wgsl.ts";

const ofX = bindings({ sizes: ["size"], outputs: ["y"], inputs: ["x"] }) + nan;
const ofGradient = bindings({ sizes: ["size"], outputs: ["gx"], inputs: ["gy", "x"] }) + nan;

const expCode = ofX + exponential + each("y[i] = exponential(x[i]);");
const expBackwardCode = ofGradient + exponential + each(`let half = 0.5 * x[i];
  // The square of e^88 exceeds all floats, but 0 times it is still 0.
  let e = exponential(select(min(half, 88.0), half, isNan(half)));
  gx[i] = (gy[i] * e) * e;`);
const logCode = `${ofX}${logarithm}
fn naturalLogarithm(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) == 0u) { return bitcast<f32>(0xff800000u | (bits & 1u)); }
  if (bits > 0x7f800000u) { return nanOf(bits); }
  if (bits == 0x7f800000u) { return x; }
  // The bits of a number below the normal range count multiples of 2^-149.
  if (bits < 0x00800000u) { return logarithm(f32(bits)) - ${149 * Math.LN2}; }
  return logarithm(x);
}
` + each("y[i] = naturalLogarithm(x[i]);");
const softplusCode = `${ofX}${exponential}${logarithm}
fn softplus(x: f32) -> f32 {
  return select(max(x, 0.0) + logarithmOf1Plus(exponential(-abs(x))), x, isNan(x));
}
` + each("y[i] = softplus(x[i]);");
const softplusBackwardCode = ofGradient + exponential + logistic + each("gx[i] = gy[i] * logistic(x[i]);");

/** y = e^x */
export function exp(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, expCode, [y], [x], [size]);
}

/** gx = gy · e^x, as two factors of e^(x/2), since e^x may overflow where the product does not */
export function expBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, expBackwardCode, [gx], [gy, x], [size]);
}

/** y = ln x */
export function log(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, logCode, [y], [x], [size]);
}

/** y = ln(1 + e^x) */
export function softplus(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, softplusCode, [y], [x], [size]);
}

/** gx = gy / (1 + e^-x) */
export function softplusBackward(gpu: Gpu, gx: GpuBlock, gy: GpuBlock, x: GpuBlock, size: number): void {
  runEach(gpu, softplusBackwardCode, [gx], [gy, x], [size]);
}
