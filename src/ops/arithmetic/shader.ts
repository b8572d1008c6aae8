/**
 * Differences, quotients and multiples on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, nan, runEach, units } from "../../backends/webgpu/wgsl.ts";
import { wideNumbers } from "../../backends/webgpu/wide.ts";

/** a / b. WGSL's own quotient may be anything where b is 0, infinite or close to the ends of the range. */
const quotient = `${nan}${units}
fn quotient(a: f32, b: f32) -> f32 {
  let sign = (bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000u;
  let top = bitcast<u32>(a) & 0x7fffffffu;
  let bottom = bitcast<u32>(b) & 0x7fffffffu;
  if (isNan(a) || isNan(b) || (top == bottom && (top == 0u || top == 0x7f800000u))) { return nanOf(sign); }
  if (bottom == 0u || top == 0x7f800000u) { return bitcast<f32>(sign | 0x7f800000u); }
  if (top == 0u || bottom == 0x7f800000u) { return bitcast<f32>(sign); }
  // b is a number around 1 times a power of two, which scales large a afterwards and small a before.
  let up = oneOver(unitOf(b));
  let divisor = b * up;
  return select((a * up) / divisor, (a / divisor) * up, (abs(a) >= 1.0) == (up >= 1.0));
}
`;

const subtractCode = bindings({ sizes: ["size"], outputs: ["y"], inputs: ["a", "b"] }) +
  each("y[i] = a[i] - b[i];");
const divideCode = bindings({ sizes: ["size"], outputs: ["y"], inputs: ["a", "b"] }) + quotient +
  each("y[i] = quotient(a[i], b[i]);");
const divideBackwardCode = bindings({
  sizes: ["size"],
  outputs: ["ga", "gb"],
  inputs: ["gy", "a", "b"],
}) + quotient + wideNumbers + each(`ga[i] = quotient(gy[i], b[i]);
  // The powers of two apart, since either quotient may overflow or vanish.
  let g = wide(gy[i]);
  let p = wide(a[i]);
  let q = wide(b[i]);
  gb[i] = narrow(Wide(-quotient(g.m, q.m) * quotient(p.m, q.m), g.e + p.e - 2 * q.e));`);
const scaleCode = bindings({ sizes: ["size"], constants: ["factor"], outputs: ["y"], inputs: ["x"] }) +
  each("y[i] = x[i] * params.factor;");
const scaleByCode = bindings({ sizes: ["size"], outputs: ["y"], inputs: ["x", "factor"] }) +
  each("y[i] = x[i] * factor[0];");

/** y = a - b */
export function subtract(gpu: Gpu, y: GpuBlock, a: GpuBlock, b: GpuBlock, size: number): void {
  runEach(gpu, subtractCode, [y], [a, b], [size]);
}

/** y = a / b */
export function divide(gpu: Gpu, y: GpuBlock, a: GpuBlock, b: GpuBlock, size: number): void {
  runEach(gpu, divideCode, [y], [a, b], [size]);
}

/** ga = gy / b, gb = -(gy / b) · (a / b) */
export function divideBackward(
  gpu: Gpu,
  ga: GpuBlock,
  gb: GpuBlock,
  gy: GpuBlock,
  a: GpuBlock,
  b: GpuBlock,
  size: number,
): void {
  runEach(gpu, divideBackwardCode, [ga, gb], [gy, a, b], [size]);
}

/** y = factor · x */
export function scale(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number, factor: number): void {
  runEach(gpu, scaleCode, [y], [x], [size], [factor]);
}

/** y = factor · x */
export function scaleBy(gpu: Gpu, y: GpuBlock, x: GpuBlock, factor: GpuBlock, size: number): void {
  runEach(gpu, scaleByCode, [y], [x, factor], [size]);
}
