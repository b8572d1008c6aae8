import type { Floats } from "../../tensor.ts";

/** y = e^(x - max x) / Σ e^(x - max x), row by row */
export function softmax(y: Floats, x: Floats, rows: number, channels: number): void {
  for (let at = 0; at < rows * channels; at += channels) {
    let largest = -Infinity;
    for (let c = 0; c < channels; c++) largest = Math.max(largest, x[at + c]);
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += Math.exp(x[at + c] - largest);
    for (let c = 0; c < channels; c++) y[at + c] = Math.exp(x[at + c] - largest) / sum;
  }
}
