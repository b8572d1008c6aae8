import type { Floats } from "../../tensor.ts";

/** y = Σ x² */
export function sumOfSquares(y: Floats, x: Floats, size: number): void {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += x[i] ** 2;
  y[0] = sum;
}

/** y = x · min(1, maxNorm / (√sumOfSquares + 1e-6)) */
export function clipToNorm(
  y: Floats,
  x: Floats,
  sumOfSquares: Floats,
  size: number,
  maxNorm: number,
): void {
  const factor = Math.min(1, maxNorm / (Math.sqrt(sumOfSquares[0]) + 1e-6));
  for (let i = 0; i < size; i++) y[i] = x[i] * factor;
}
