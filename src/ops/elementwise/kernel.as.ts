import * as vector from "../../backends/wasm/math.as";
import { loadPart, madd, storePart } from "../../backends/wasm/vectors.as";

// Four at a time; the last one to three go through the same function. (Handing the function to one common loop would
// call it through a table for every vector: AssemblyScript inlines none of that.)

/** y = a + b */
export function add(y: usize, a: usize, b: usize, size: i32): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.add(loadPart(a, rest), loadPart(b, rest)), rest);
}

/** y = a · b */
export function multiply(y: usize, a: usize, b: usize, size: i32): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f32x4.mul(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.mul(loadPart(a, rest), loadPart(b, rest)), rest);
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
  return madd(x, ratio, f32x4.mul(before, f32x4.sub(vector.constant(vector.ONE), ratio)));
}

/** y = 1 / (1 + e^-x) */
export function sigmoid(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, vector.sigmoid(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, vector.sigmoid(loadPart(x, rest)), rest);
}

/** y = tanh x */
export function tanh(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, vector.tanh(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, vector.tanh(loadPart(x, rest)), rest);
}

/** y = max(x, 0)² */
export function squaredRelu(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, squaredRelu4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, squaredRelu4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function squaredRelu4(x: v128): v128 {
  const positive = f32x4.pmax(x, f32x4.splat(0));
  return f32x4.mul(positive, positive);
}

const CUBIC = memory.data<f32>([0.044715]);
/** 2·√(2/π) */
const SLOPE = memory.data<f32>([1.5957691216057308]);

/** y = x/2 · (1 + tanh u) = x / (1 + e^-2u) with u = √(2/π) · (x + 0.044715 x³) */
export function gelu(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, gelu4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, gelu4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function gelu4(x: v128): v128 {
  const cubic = madd(f32x4.mul(x, x), vector.constant(CUBIC), vector.constant(vector.ONE));
  const twice = f32x4.mul(f32x4.mul(x, vector.constant(SLOPE)), cubic);
  return f32x4.mul(x, vector.sigmoid(twice));
}

/** y = -e^x */
export function negativeExp(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, negativeExp4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, negativeExp4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function negativeExp4(x: v128): v128 {
  return f32x4.neg(vector.exp(x));
}
