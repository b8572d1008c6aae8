import type { Floats } from "../../tensor.ts";

/** y[o, i] = Σ x[o, :, i] / divisor for x `[outer, size, inner]` */
export function sum(
  y: Floats,
  x: Floats,
  outer: number,
  size: number,
  inner: number,
  divisor: number,
): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += x[(o * size + k) * inner + i];
      y[o * inner + i] = sum / divisor;
    }
  }
}
