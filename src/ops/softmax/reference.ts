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

/** gx = y · (gy - Σ gy · y), row by row */
export function softmaxBackward(gx: Floats, gy: Floats, y: Floats, rows: number, channels: number): void {
  for (let at = 0; at < rows * channels; at += channels) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += gy[at + c] * y[at + c];
    for (let c = 0; c < channels; c++) gx[at + c] = y[at + c] * (gy[at + c] - sum);
  }
}
