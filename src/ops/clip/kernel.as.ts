import { loadPart, read, write } from "../../backends/wasm/vectors.as";

/** y = Σ x², added up in double precision, where a square of single precision is exact */
export function sumOfSquares(y: usize, x: usize, size: i32): void {
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
  store<f32>(y, <f32> (f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1)));
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

/** y = x · min(1, maxNorm / (√sumOfSquares + 1e-6)) */
export function clipToNorm(y: usize, x: usize, sumOfSquares: usize, size: i32, maxNorm: f64): void {
  const norm = sqrt(<f64> load<f32>(sumOfSquares));
  const factor = f32x4.splat(<f32> min<f64>(1, maxNorm / (norm + 1e-6)));
  for (; size > 0; size -= 4, x += 16, y += 16) {
    const count = min(4, size);
    write(y, f32x4.mul(read(x, count), factor), count);
  }
}
