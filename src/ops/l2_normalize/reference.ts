import type { Floats } from "../../tensor.ts";
import { norm } from "../clip/reference.ts";

/** y = x / max(‖x‖, ε), row by row */
export function l2Normalize(y: Floats, x: Floats, rows: number, channels: number, epsilon: number): void {
  for (let at = 0; at < rows * channels; at += channels) {
    const divisor = Math.max(lengthOf(x.subarray(at, at + channels)), epsilon);
    for (let c = 0; c < channels; c++) y[at + c] = x[at + c] / divisor;
  }
}

/** gx = (gy - y Σ gy·y) / ‖x‖, or gy / ε where ‖x‖ is at most ε */
export function l2NormalizeBackward(
  gx: Floats,
  gy: Floats,
  x: Floats,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  for (let at = 0; at < rows * channels; at += channels) {
    const length = lengthOf(x.subarray(at, at + channels));
    const isShort = length <= epsilon;
    let product = 0;
    for (let c = 0; c < channels; c++) product += gy[at + c] * (x[at + c] / length);
    for (let c = 0; c < channels; c++) {
      gx[at + c] = isShort ? gy[at + c] / epsilon : (gy[at + c] - x[at + c] / length * product) / length;
    }
  }
}

function lengthOf(row: Floats): number {
  const length = new Float64Array(1);
  norm(length, row, row.length, 0, 1);
  return length[0];
}
