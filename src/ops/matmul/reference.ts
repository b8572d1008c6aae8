import type { Floats } from "../../tensor.ts";

/**
 * y `[batch, rows, columns]` = a·b, sums over `inner`. The matrices of a and b lie `aStep` and `bStep` elements apart,
 * or 0 if one serves all. `form` 0: a·b; 1: a·bᵀ; 2: aᵀ·b.
 */
export function matmul(
  y: Floats,
  a: Floats,
  b: Floats,
  batch: number,
  rows: number,
  inner: number,
  columns: number,
  aStep: number,
  bStep: number,
  form: number,
): void {
  const [aRow, aTerm] = form === 2 ? [1, rows] : [inner, 1];
  const [bTerm, bColumn] = form === 1 ? [1, inner] : [columns, 1];
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const left = n * aStep + row * aRow, right = n * bStep + column * bColumn;
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += a[left + k * aTerm] * b[right + k * bTerm];
        y[at++] = sum;
      }
    }
  }
}
