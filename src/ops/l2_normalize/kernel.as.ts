import { read, write } from "../../backends/wasm/vectors.as";
import { sumOfSquares } from "../clip/kernel.as";

/** Lengths beyond this are not in single precision. */
const MOST: f64 = 3e38;

/** y = x / max(‖x‖, ε), row by row */
export function l2Normalize(y: usize, x: usize, rows: i32, channels: i32, epsilon: f64): void {
  const row = (<usize> channels) << 2;
  for (; rows > 0; rows--, x += row, y += row) {
    const length = max(sqrt(sumOfSquares(x, channels)), epsilon);
    if (length < MOST) {
      const divisor = f32x4.splat(<f32> length);
      for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
        const part = min(4, count);
        write(y + c, f32x4.div(read(x + c, part), divisor), part);
      }
    } else {
      for (let c: usize = 0; c < row; c += 4) store<f32>(y + c, <f32> (<f64> load<f32>(x + c) / length));
    }
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
    const divisor = isShort ? epsilon : length;
    const product = isShort ? 0 : sumOfProducts(gy, x, channels) / length;
    // NaN and what is out of the range of single precision, or may be between, take the second way.
    if (abs(product) < MOST && divisor < MOST) {
      const some = f32x4.splat(<f32> product), all = f32x4.splat(<f32> divisor);
      for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
        const part = min(4, count);
        const along = f32x4.mul(f32x4.div(read(x + c, part), all), some);
        write(gx + c, f32x4.div(f32x4.sub(read(gy + c, part), along), all), part);
      }
    } else {
      for (let c: usize = 0; c < row; c += 4) {
        const along = <f64> load<f32>(x + c) / divisor * product;
        store<f32>(gx + c, <f32> ((<f64> load<f32>(gy + c) - along) / divisor));
      }
    }
  }
}

/** Σ a·b in double precision, where products of single-precision numbers are exact. */
function sumOfProducts(a: usize, b: usize, size: i32): f64 {
  let low = f64x2.splat(0), high = low;
  for (; size > 0; a += 16, b += 16, size -= 4) {
    const count = min(4, size), u = read(a, count), v = read(b, count);
    low = f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(u), f64x2.promote_low_f32x4(v)));
    high = f64x2.add(high, f64x2.mul(f64x2.promote_low_f32x4(upper(u)), f64x2.promote_low_f32x4(upper(v))));
  }
  const total = f64x2.add(low, high);
  return f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
}

// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return v128.shuffle<f32>(x, x, 2, 3, 0, 1);
}
