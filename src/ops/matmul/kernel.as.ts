import { linear, linearBackwardInput, linearBackwardWeight } from "../linear/kernel.as";

/**
 * y `[batch, rows, columns]` = a·b, sums over `inner`. The matrices of a and b lie `aStep` and `bStep` elements apart, or
 * 0 if one serves all. `form` 0: a·b; 1: a·bᵀ; 2: aᵀ·b. These are the products of a linear map and of its gradients.
 */
export function matmul(
  y: usize,
  a: usize,
  b: usize,
  batch: i32,
  rows: i32,
  inner: i32,
  columns: i32,
  aStep: i32,
  bStep: i32,
  form: i32,
): void {
  const size = (<usize> rows * <usize> columns) << 2;
  const aBytes = (<usize> aStep) << 2, bBytes = (<usize> bStep) << 2;
  for (; batch > 0; batch--, y += size, a += aBytes, b += bBytes) {
    if (form == 0) linearBackwardInput(y, a, b, rows, columns, inner);
    else if (form == 1) linear(y, a, b, 0, rows, inner, columns);
    else linearBackwardWeight(y, 0, a, b, inner, columns, rows);
  }
}
