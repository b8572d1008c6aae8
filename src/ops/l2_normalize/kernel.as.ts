import { read, write } from "../../backends/wasm/vectors.as";
import { sumOfSquares } from "../clip/kernel.as";

// In double precision, where neither squares nor quotients of single-precision numbers are out of range.

/** y = x / max(‖x‖, ε), row by row */
export function l2Normalize(y: usize, x: usize, rows: i32, channels: i32, epsilon: f64): void {
  const row = (<usize> channels) << 2;
  for (; rows > 0; rows--, x += row, y += row) {
    // Where x is -0, the difference of x and a product with -0 is -0 as well.
    project(y, x, x, -0.0, max(sqrt(sumOfSquares(x, channels)), epsilon), channels);
  }
}

/** gx = (gy - y Σ gy·y) / ‖x‖, or gy / ε where ‖x‖ is at most ε */
export function l2NormalizeBackward(
  gx: usize,
  gy: usize,
  x: usize,
  rows: i32,
  channels: i32,
  epsilon: f64,
): void {
  const row = (<usize> channels) << 2;
  for (; rows > 0; rows--, gx += row, gy += row, x += row) {
    const length = sqrt(sumOfSquares(x, channels));
    const isShort = length <= epsilon;
    const product = isShort ? 0 : sumOfProducts(gy, x, channels) / length;
    project(gx, gy, x, product, isShort ? epsilon : length, channels);
  }
}

/** y = (a - x / length · product) / length; the quotients are divided, so that what cancels does so exactly. */
function project(y: usize, a: usize, x: usize, product: f64, length: f64, size: i32): void {
  const p = f64x2.splat(product), divisor = f64x2.splat(length);
  for (; size > 0; y += 16, a += 16, x += 16, size -= 4) {
    const count = min(4, size), u = read(a, count), v = read(x, count);
    const low = f64x2.sub(f64x2.promote_low_f32x4(u), f64x2.mul(f64x2.div(f64x2.promote_low_f32x4(v), divisor), p));
    const high = f64x2.sub(upper(u), f64x2.mul(f64x2.div(upper(v), divisor), p));
    const first = f32x4.demote_f64x2_zero(f64x2.div(low, divisor));
    write(y, v128.shuffle<f32>(first, f32x4.demote_f64x2_zero(f64x2.div(high, divisor)), 0, 1, 4, 5), count);
  }
}

/** Σ a·b */
function sumOfProducts(a: usize, b: usize, size: i32): f64 {
  let low = f64x2.splat(0), high = low;
  for (; size > 0; a += 16, b += 16, size -= 4) {
    const count = min(4, size), u = read(a, count), v = read(b, count);
    low = f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(u), f64x2.promote_low_f32x4(v)));
    high = f64x2.add(high, f64x2.mul(upper(u), upper(v)));
  }
  const total = f64x2.add(low, high);
  return f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
}

/** The upper two of four floats. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 0, 1));
}
