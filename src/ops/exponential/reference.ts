import type { Floats } from "../../tensor.ts";

/** y = e^x */
export function exp(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.exp(x[i]);
}

/** gx = gy · e^x, as two factors of e^(x/2), since e^x may overflow where the product does not */
export function expBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) {
    // The square of e^709 exceeds all floats, also in double precision, but 0 times it is still 0.
    const half = Math.exp(Math.min(x[i] / 2, 709));
    gx[i] = gy[i] * half * half;
  }
}

/** y = ln x */
export function log(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.log(x[i]);
}

/** y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|) */
export function softplus(y: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) y[i] = Math.max(x[i], 0) + Math.log1p(Math.exp(-Math.abs(x[i])));
}

/** gx = gy / (1 + e^-x) */
export function softplusBackward(gx: Floats, gy: Floats, x: Floats, size: number): void {
  for (let i = 0; i < size; i++) gx[i] = gy[i] / (1 + Math.exp(-x[i]));
}
