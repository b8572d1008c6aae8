import type { Floats } from "../../tensor.ts";

/** y = a + b */
export function add(y: Floats, a: Floats, b: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = a[i] + b[i];
}

/** y = a · b */
export function multiply(y: Floats, a: Floats, b: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = a[i] * b[i];
}

/** y = x · ratio + before · (1 - ratio), with one ratio for each channel */
export function mix(
  y: Floats,
  x: Floats,
  before: Floats,
  ratio: Floats,
  rows: number,
  channels: number,
): void {
  for (let at = 0; at < rows * channels; at += channels) {
    for (let c = 0; c < channels; c++) y[at + c] = x[at + c] * ratio[c] + before[at + c] * (1 - ratio[c]);
  }
}

/** y = 1 / (1 + e^-x) */
export function sigmoid(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = 1 / (1 + Math.exp(-x[i]));
}

/** y = tanh x */
export function tanh(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.tanh(x[i]);
}

/** y = max(x, 0) */
export function relu(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.max(x[i], 0);
}

/** y = x / (1 + e^-x), clamped to avoid -∞/∞ */
export function silu(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.max(x[i], -Number.MAX_VALUE) / (1 + Math.exp(-x[i]));
}

/** y = max(x, 0)² */
export function squaredRelu(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.max(x[i], 0) ** 2;
}

/** Beyond ±this, (1 + tanh u) / 2 is 0 or 1; the powers of x would overflow before x does. */
const geluEnd = 100;
/** 2·√(2/π) */
const geluScale = 2 * Math.sqrt(2 / Math.PI);

/** y = x/2 · (1 + tanh u) = x / (1 + e^-2u) with u = √(2/π) · (x + 0.044715 x³); the second form does not cancel */
export function gelu(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    const above = Math.max(x[i], -geluEnd), near = Math.min(above, geluEnd);
    y[i] = above / (1 + Math.exp(-geluScale * (near + 0.044715 * near ** 3)));
  }
}

/** y = -e^x */
export function negativeExp(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = -Math.exp(x[i]);
}

/** gx = gy · ratio, gBefore = gy · (1 - ratio), gRatio = Σ gy · (x - before) */
export function mixBackward(
  gx: Floats,
  gBefore: Floats,
  gRatio: Floats,
  gy: Floats,
  x: Floats,
  before: Floats,
  ratio: Floats,
  rows: number,
  channels: number,
): void {
  const sums = new Float64Array(channels);
  for (let at = 0; at < rows * channels; at += channels) {
    for (let c = 0; c < channels; c++) {
      gx[at + c] = gy[at + c] * ratio[c];
      gBefore[at + c] = gy[at + c] * (1 - ratio[c]);
      sums[c] += gy[at + c] * (x[at + c] - before[at + c]);
    }
  }
  gRatio.set(sums);
}

/** With e = e^-|x|: gx = gy · e / (1 + e)², equal to gy · y · (1 - y), but exact where y rounds to 1 */
export function sigmoidBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    const e = Math.exp(-Math.abs(x[i]));
    gx[i] = gy[i] * e / (1 + e) ** 2;
  }
}

/** With e = e^-2|x|: gx = 4 · gy · e / (1 + e)², equal to gy · (1 - y²), but exact where y rounds to 1 */
export function tanhBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    const e = Math.exp(-2 * Math.abs(x[i]));
    gx[i] = 4 * gy[i] * e / (1 + e) ** 2;
  }
}

/** gx = gy where x > 0, else 0 */
export function reluBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) gx[i] = gy[i] * Math.sign(Math.max(x[i], 0));
}

/** Beyond ±this, e^x is 0 or infinite in double precision, and the slope of silu 0 or 1. */
const siluEnd = 750;

/** With s = 1 / (1 + e^-x): gx = gy · s · (1 + x · (1 - s)) */
export function siluBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    const near = Math.min(Math.max(x[i], -siluEnd), siluEnd);
    const s = 1 / (1 + Math.exp(-near)), rest = 1 / (1 + Math.exp(near));
    gx[i] = gy[i] * s * (1 + near * rest);
  }
}

/** gx = 2 · gy · max(x, 0) */
export function squaredReluBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) gx[i] = 2 * gy[i] * Math.max(x[i], 0);
}

/** With s = 1 / (1 + e^-2u), u = √(2/π) · (x + 0.044715 x³): gx = gy · s · (1 + x · (1 - s) · 2u') */
export function geluBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    const near = Math.min(Math.max(x[i], -geluEnd), geluEnd);
    const twice = geluScale * (near + 0.044715 * near ** 3);
    const slope = geluScale * (1 + 3 * 0.044715 * near ** 2);
    const s = 1 / (1 + Math.exp(-twice)), rest = 1 / (1 + Math.exp(twice));
    gx[i] = gy[i] * s * (1 + near * rest * slope);
  }
}

/** gx = -gy · e^x, as two factors of e^(x/2), since e^x may overflow where the product does not */
export function negativeExpBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    // The square of e^350 exceeds all floats, but 0 times it is still 0.
    const half = Math.exp(Math.min(x[i] / 2, 350));
    gx[i] = gy[i] * half * -half;
  }
}
