import { read, write } from "../../backends/wasm/vectors.as";

/**
 * y[o, i] = Σ x[o, :, i] / divisor for x `[outer, size, inner]`, in double precision: partial sums may overflow where
 * the sum does not, and thousands of terms keep their digits.
 */
export function sum(y: usize, x: usize, outer: i32, size: i32, inner: i32, divisor: f64): void {
  const row = (<usize> inner) << 2;
  const block = row * <usize> size;
  for (; outer > 0; outer--, x += block, y += row) {
    if (inner == 1) store<f32>(y, <f32> (sumOf(x, size) / divisor));
    else sumColumns(y, x, size, inner, divisor);
  }
}

/** Σ x over `count` adjacent numbers. */
function sumOf(x: usize, count: i32): f64 {
  let a = f64x2.splat(0), b = a, c = a, d = a;
  const end = x + ((<usize> count) << 2), whole = x + ((<usize> (count & ~7)) << 2);
  for (; x < whole; x += 32) {
    const p = v128.load(x), q = v128.load(x, 16);
    a = f64x2.add(a, f64x2.promote_low_f32x4(p)), b = f64x2.add(b, high(p));
    c = f64x2.add(c, f64x2.promote_low_f32x4(q)), d = f64x2.add(d, high(q));
  }
  let rest: f64 = 0;
  for (; x < end; x += 4) rest += <f64> load<f32>(x);
  const all = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
  return f64x2.extract_lane(all, 0) + f64x2.extract_lane(all, 1) + rest;
}

/** The sums of the columns of `rows` × `columns`, eight at a time and then up to four. */
function sumColumns(y: usize, x: usize, rows: i32, columns: i32, divisor: f64): void {
  const row = (<usize> columns) << 2, end = row * <usize> rows;
  const by = f64x2.splat(divisor);
  for (; columns >= 8; columns -= 8, x += 32, y += 32) {
    let a = f64x2.splat(0), b = a, c = a, d = a;
    for (let at: usize = 0; at < end; at += row) {
      const p = v128.load(x + at), q = v128.load(x + at, 16);
      a = f64x2.add(a, f64x2.promote_low_f32x4(p)), b = f64x2.add(b, high(p));
      c = f64x2.add(c, f64x2.promote_low_f32x4(q)), d = f64x2.add(d, high(q));
    }
    v128.store(y, quotients(a, b, by));
    v128.store(y, quotients(c, d, by), 16);
  }
  for (; columns > 0; columns -= 4, x += 16, y += 16) {
    const part = min(4, columns);
    let a = f64x2.splat(0), b = a;
    for (let at: usize = 0; at < end; at += row) {
      const p = read(x + at, part);
      a = f64x2.add(a, f64x2.promote_low_f32x4(p)), b = f64x2.add(b, high(p));
    }
    write(y, quotients(a, b, by), part);
  }
}

/** The last two of four numbers, in double precision. */
// @ts-ignore: decorator
@inline
function high(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3));
}

/** Two pairs of numbers divided, in single precision. */
// @ts-ignore: decorator
@inline
function quotients(a: v128, b: v128, by: v128): v128 {
  const low = f32x4.demote_f64x2_zero(f64x2.div(a, by)), top = f32x4.demote_f64x2_zero(f64x2.div(b, by));
  return v128.shuffle<f32>(low, top, 0, 1, 4, 5);
}
