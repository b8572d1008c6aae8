import type { Floats } from "../../tensor.ts";

/** y = (x - mean) / √(variance + ε) · weight + bias, row by row */
export function layerNorm(
  y: Floats,
  x: Floats,
  weight: Floats,
  bias: Floats,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  for (let at = 0; at < rows * channels; at += channels) {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += x[at + c];
    mean /= channels;
    let variance = 0;
    for (let c = 0; c < channels; c++) variance += (x[at + c] - mean) ** 2;
    variance /= channels;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < channels; c++) y[at + c] = (x[at + c] - mean) * scale * weight[c] + bias[c];
  }
}
