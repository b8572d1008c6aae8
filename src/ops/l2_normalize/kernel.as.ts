import { read, write } from "../../backends/wasm/vectors.as";
import { sumOfSquares } from "../clip/kernel.as";

// In double precision, where neither squares nor quotients of single-precision numbers are out of range.

/** y = x / max(‖x‖, ε), row by row */
export function l2Normalize(y: usize, x: usize, rows: i32, channels: i32, epsilon: f64): void {
  const row = (<usize> channels) << 2;
  for (; rows > 0; rows--, x += row, y += row) {
    combine(y, x, 1 / max(sqrt(sumOfSquares(x, channels)), epsilon), x, 0, channels);
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
    const isShort = length <= epsilon, scale = 1 / (isShort ? epsilon : length);
    const along = isShort ? 0 : sumOfProducts(gy, x, channels) * scale * scale * scale;
    combine(gx, gy, scale, x, along, channels);
  }
}

/** y = a·scale - b·along */
function combine(y: usize, a: usize, scale: f64, b: usize, along: f64, size: i32): void {
  const p = f64x2.splat(scale), q = f64x2.splat(along);
  for (; size > 0; y += 16, a += 16, b += 16, size -= 4) {
    const count = min(4, size), u = read(a, count), v = read(b, count);
    const low = f64x2.sub(f64x2.mul(f64x2.promote_low_f32x4(u), p), f64x2.mul(f64x2.promote_low_f32x4(v), q));
    const high = f64x2.sub(f64x2.mul(upper(u), p), f64x2.mul(upper(v), q));
    const all = v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
    write(y, all, count);
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
