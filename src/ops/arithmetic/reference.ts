import type { Floats } from "../../tensor.ts";

/** y = a - b */
export function subtract(y: Floats, a: Floats, b: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = a[i] - b[i];
}

/** y = a / b */
export function divide(y: Floats, a: Floats, b: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = a[i] / b[i];
}

/** ga = gy / b, gb = -(gy / b) · (a / b) */
export function divideBackward(
  ga: Floats,
  gb: Floats,
  gy: Floats,
  a: Floats,
  b: Floats,
  size: number,
): void {
  for (let i = 0; i < size; i++) {
    const share = gy[i] / b[i];
    ga[i] = share;
    gb[i] = -share * (a[i] / b[i]);
  }
}

/** y = factor · x */
export function scale(y: Floats, x: Floats, size: number, factor: number): void {
  for (let i = 0; i < size; i++) y[i] = x[i] * factor;
}

/** y = factor · x */
export function scaleBy(y: Floats, x: Floats, factor: Floats, size: number): void {
  scale(y, x, size, factor[0]);
}
