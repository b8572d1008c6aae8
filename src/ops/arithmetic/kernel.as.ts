import { loadPart, read, storePart, write } from "../../backends/wasm/vectors.as";

/** y = a - b */
export function subtract(y: usize, a: usize, b: usize, size: i32): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f32x4.sub(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.sub(loadPart(a, rest), loadPart(b, rest)), rest);
}

/** y = a / b */
export function divide(y: usize, a: usize, b: usize, size: i32): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f32x4.div(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.div(loadPart(a, rest), loadPart(b, rest)), rest);
}

/** ga = gy / b, gb = -(gy / b) · (a / b) in double precision, since either quotient may overflow or vanish */
export function divideBackward(ga: usize, gb: usize, gy: usize, a: usize, b: usize, size: i32): void {
  for (; size > 0; size -= 4, ga += 16, gb += 16, gy += 16, a += 16, b += 16) {
    const part = min(4, size);
    const g = read(gy, part), p = read(a, part), q = read(b, part);
    write(ga, f32x4.div(g, q), part);
    const low = slopes(g, p, q);
    const high = slopes(upper(g), upper(p), upper(q));
    write(gb, v128.shuffle<f32>(low, high, 0, 1, 4, 5), part);
  }
}

/** The gradients of the first two of four divisors. */
// @ts-ignore: decorator
@inline
function slopes(g: v128, a: v128, b: v128): v128 {
  const divisor = f64x2.promote_low_f32x4(b);
  const share = f64x2.div(f64x2.promote_low_f32x4(g), divisor);
  const ratio = f64x2.div(f64x2.promote_low_f32x4(a), divisor);
  return f32x4.demote_f64x2_zero(f64x2.neg(f64x2.mul(share, ratio)));
}

/** The last two of four numbers. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return v128.shuffle<f32>(x, x, 2, 3, 2, 3);
}

/** y = factor · x */
export function scale(y: usize, x: usize, size: i32, factor: f64): void {
  multiplyAll(y, x, f32x4.splat(<f32> factor), size);
}

/** y = factor · x */
export function scaleBy(y: usize, x: usize, factor: usize, size: i32): void {
  multiplyAll(y, x, v128.load_splat<f32>(factor), size);
}

// @ts-ignore: decorator
@inline
function multiplyAll(y: usize, x: usize, factor: v128, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, f32x4.mul(v128.load(x), factor));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.mul(loadPart(x, rest), factor), rest);
}
