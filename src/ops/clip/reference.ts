import type { Floats } from "../../tensor.ts";

/** y[at] = scale·‖x‖ */
export function norm(y: Floats, x: Floats, size: number, at: number, scale: number): void {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += x[i] ** 2;
  // Squares of single-precision numbers never leave the range of doubles.
  y[at] = sum > 1e-280 && sum < Infinity ? scale * Math.sqrt(sum) : normByLargest(x, size, scale);
}

/** scale·a·‖x/a‖ with the largest magnitude a. */
function normByLargest(x: Floats, size: number, scale: number): number {
  let largest = 0, sum = 0;
  // Math.max propagates NaN.
  for (let i = 0; i < size; i++) largest = Math.max(largest, Math.abs(x[i]));
  if (!(largest > 0 && largest < Infinity)) return largest;
  for (let i = 0; i < size; i++) sum += (x[i] / largest) ** 2;
  return scale * largest * Math.sqrt(sum);
}

/** gx = 2 · gy · x */
export function squaredNormBackward(gx: Floats, x: Floats, gy: Floats, size: number): void {
  for (let i = 0; i < size; i++) gx[i] = 2 * x[i] * gy[0];
}

/** y = x · min(1, maxNorm / (N + 1e-6)) where norm is scale·N */
export function clipToNorm(
  y: Floats,
  x: Floats,
  norm: Floats,
  size: number,
  maxNorm: number,
  scale: number,
): void {
  const bound = norm[0] + 1e-6 * scale;
  let factor = Math.min(1, maxNorm / bound * scale), again = 1;
  // A factor below the normal range is applied as its square root, twice.
  if (factor < 2 ** -1022) factor = again = Math.sqrt(maxNorm) / Math.sqrt(bound) * Math.sqrt(scale);
  for (let i = 0; i < size; i++) y[i] = x[i] * factor * again;
}
