import type { Floats } from "../../tensor.ts";

/** y = a + b */
export function add(y: Floats, a: Floats, b: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = a[i] + b[i];
}

/** y = a · b */
export function multiply(y: Floats, a: Floats, b: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = a[i] * b[i];
}

/** y = x · ratio + before · (1 - ratio), the ratio one a channel */
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

/** y = max(x, 0)² */
export function squaredRelu(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.max(x[i], 0) ** 2;
}

/** y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))) */
export function gelu(y: Floats, x: Floats, size: number): void {
  const scale = Math.sqrt(2 / Math.PI);
  for (let i = 0; i < size; i++) {
    y[i] = 0.5 * x[i] * (1 + Math.tanh(scale * (x[i] + 0.044715 * x[i] ** 3)));
  }
}

/** y = -e^x */
export function negativeExp(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = -Math.exp(x[i]);
}
