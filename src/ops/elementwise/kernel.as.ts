import * as vector from "../../backends/wasm/math.as";
import { loadPart, madd, storePart } from "../../backends/wasm/vectors.as";

/** y = f(x), four at a time; the last one to three go through the same function, which the compiler inlines. */
// @ts-ignore: decorator
@inline
function map(y: usize, x: usize, size: i32, f: (x: v128) => v128): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, f(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, f(loadPart(x, rest)), rest);
}

/** y = f(a, b), likewise */
// @ts-ignore: decorator
@inline
function combine(y: usize, a: usize, b: usize, size: i32, f: (a: v128, b: v128) => v128): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f(loadPart(a, rest), loadPart(b, rest)), rest);
}

/** y = a + b */
export function add(y: usize, a: usize, b: usize, size: i32): void {
  combine(y, a, b, size, (a, b) => f32x4.add(a, b));
}

/** y = a · b */
export function multiply(y: usize, a: usize, b: usize, size: i32): void {
  combine(y, a, b, size, (a, b) => f32x4.mul(a, b));
}

/** y = x · ratio + before · (1 - ratio), the ratio one a channel */
export function mix(y: usize, x: usize, before: usize, ratio: usize, rows: i32, channels: i32): void {
  const rest = channels & 3;
  const whole = (<usize> (channels & ~3)) << 2;
  const stride = (<usize> channels) << 2;
  for (let row = 0; row < rows; row++) {
    for (let c: usize = 0; c < whole; c += 16) {
      v128.store(y + c, mixed(v128.load(x + c), v128.load(before + c), v128.load(ratio + c)));
    }
    if (rest) {
      const last = mixed(loadPart(x + whole, rest), loadPart(before + whole, rest), loadPart(ratio + whole, rest));
      storePart(y + whole, last, rest);
    }
    y += stride;
    x += stride;
    before += stride;
  }
}

// @ts-ignore: decorator
@inline
function mixed(x: v128, before: v128, ratio: v128): v128 {
  return madd(x, ratio, f32x4.mul(before, f32x4.sub(f32x4.splat(1), ratio)));
}

/** y = 1 / (1 + e^-x) */
export function sigmoid(y: usize, x: usize, size: i32): void {
  map(y, x, size, (x) => vector.sigmoid(x));
}

/** y = tanh x */
export function tanh(y: usize, x: usize, size: i32): void {
  map(y, x, size, (x) => vector.tanh(x));
}

/** y = max(x, 0)² */
export function squaredRelu(y: usize, x: usize, size: i32): void {
  map(y, x, size, (x) => {
    const positive = f32x4.pmax(x, f32x4.splat(0));
    return f32x4.mul(positive, positive);
  });
}

/** y = x/2 · (1 + tanh u) = x / (1 + e^-2u) with u = √(2/π) · (x + 0.044715 x³) */
export function gelu(y: usize, x: usize, size: i32): void {
  map(y, x, size, (x) => {
    const cubic = madd(f32x4.mul(x, x), f32x4.splat(0.044715), f32x4.splat(1));
    const twice = f32x4.mul(f32x4.mul(x, f32x4.splat(1.5957691216057308)), cubic);
    return f32x4.mul(x, vector.sigmoid(twice));
  });
}

/** y = -e^x */
export function negativeExp(y: usize, x: usize, size: i32): void {
  map(y, x, size, (x) => f32x4.neg(vector.exp(x)));
}
