// Dot products in double precision, to recompute the few that are infinite or NaN in single precision: partial sums
// may overflow where the sum does not.

/** Σ a·b over `count` numbers, with strides of `aStep` and `bStep` bytes. */
export function dot(a: usize, aStep: usize, b: usize, bStep: usize, count: i32): f64 {
  let sum: f64 = 0;
  for (; count > 0; count--, a += aStep, b += bStep) sum += <f64> load<f32>(a) * <f64> load<f32>(b);
  return sum;
}

/** Whether a number is neither infinite nor NaN. */
// @ts-ignore: decorator
@inline
export function isFinite32(x: f32): bool {
  return x - x == 0;
}

/**
 * Recomputes the elements of y = a·b + bias that are not finite: `rows` rows of a and `columns` columns of b, sums
 * of `inner` products whose factors have strides of `aStep` and `bStep` bytes.
 */
export function mendProducts(
  y: usize,
  yRow: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bRow: usize,
  bStep: usize,
  bias: usize,
  rows: i32,
  inner: i32,
  columns: i32,
): void {
  for (let r = 0; r < rows; r++, y += yRow, a += aRow) {
    for (let column: usize = 0; column < <usize> columns; column++) {
      const at = column << 2;
      if (isFinite32(load<f32>(y + at))) continue;
      const start: f64 = bias ? <f64> load<f32>(bias + at) : 0;
      store<f32>(y + at, <f32> (start + dot(a, aStep, b + column * bRow, bStep, inner)));
    }
  }
}
