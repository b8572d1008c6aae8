import { loadPart, read, write } from "../../backends/wasm/vectors.as";

/** y[at] = scale·‖x‖ */
export function norm(y: usize, x: usize, size: i32, at: i32, scale: f64): void {
  store<f32>(y + ((<usize> at) << 2), <f32> (scale * sqrt(sumOfSquares(x, size))));
}

/** Σ x² in double precision, where squares of single-precision numbers are exact and in range. */
export function sumOfSquares(x: usize, size: i32): f64 {
  let a = f64x2.splat(0), b = a, c = a, d = a;
  for (; size >= 8; x += 32, size -= 8) {
    const u = v128.load(x), v = v128.load(x, 16);
    a = addSquares(a, u);
    b = addSquares(b, upper(u));
    c = addSquares(c, v);
    d = addSquares(d, upper(v));
  }
  for (; size > 0; x += 16, size -= 4) {
    const u = size < 4 ? loadPart(x, size) : v128.load(x);
    a = addSquares(a, u);
    b = addSquares(b, upper(u));
  }
  const total = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
  return f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
}

/** gx = 2 · gy · x */
export function squaredNormBackward(gx: usize, x: usize, gy: usize, size: i32): void {
  const g = load<f32>(gy);
  for (; size > 0; size--, x += 4, gx += 4) store<f32>(gx, 2 * (load<f32>(x) * g));
}

/** Adds the squares of the lower two of four floats. */
// @ts-ignore: decorator
@inline
function addSquares(total: v128, x: v128): v128 {
  const wide = f64x2.promote_low_f32x4(x);
  return f64x2.add(total, f64x2.mul(wide, wide));
}

// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return v128.shuffle<f32>(x, x, 2, 3, 0, 1);
}

/** y = x · min(1, maxNorm / (N + 1e-6)) where norm is scale·N */
export function clipToNorm(y: usize, x: usize, norm: usize, size: i32, maxNorm: f64, scale: f64): void {
  const bound = <f64> load<f32>(norm) + 1e-6 * scale;
  const whole = min<f64>(1, maxNorm / bound * scale);
  // A factor below the normal range is applied as its square root, twice.
  const isSmall = whole < f32.MIN_NORMAL_VALUE;
  const factor = f32x4.splat(<f32> (isSmall ? sqrt(whole) : whole));
  const again = isSmall ? factor : f32x4.splat(1);
  for (; size > 0; size -= 4, x += 16, y += 16) {
    const count = min(4, size);
    write(y, f32x4.mul(f32x4.mul(read(x, count), factor), again), count);
  }
}
