// One row times a matrix, the product that a token is made of. What takes the time is reading the weights; in Deno every
// load also costs a comparison with the end of the memory (V8 there does not leave that to a page fault), so that a load
// saved is worth more than it looks.

import { isFinite32 } from "../../backends/wasm/exact.as";
import { isSpoiled, loadPart, madd, read, storePart, sums, write } from "../../backends/wasm/vectors.as";
import { PACKED, packed } from "./product.as";

/** So many rows are interleaved: with more, their sums and a part of x no longer fit the registers. */
const ROWS: i32 = 8;

/**
 * y = x·Wᵀ + b. Four streams a quarter of the matrix apart come in faster than one: the four rows in one dot product are
 * not neighbours. False if a result is not finite.
 */
export function multiplyRow(y: usize, x: usize, weight: usize, bias: usize, inputs: i32, outputs: i32): bool {
  const row = (<usize> inputs) << 2;
  const quarter = outputs >> 2;
  const apart = (<usize> quarter) << 2, far = quarter * row;
  const zero = f32x4.splat(0);
  let spoiled = zero;
  for (let output = 0; output < quarter; output++, y += 4, weight += row) {
    let result = dot4(weight, far, 4, x, inputs);
    if (bias) {
      let added = v128.load32_zero(bias);
      added = v128.load_lane<f32>(bias + apart, added, 1);
      added = v128.load_lane<f32>(bias + 2 * apart, added, 2);
      added = v128.load_lane<f32>(bias + 3 * apart, added, 3);
      result = f32x4.add(result, added);
      bias += 4;
    }
    spoiled = madd(result, zero, spoiled);
    v128.store_lane<f32>(y, result, 0);
    v128.store_lane<f32>(y + apart, result, 1);
    v128.store_lane<f32>(y + 2 * apart, result, 2);
    v128.store_lane<f32>(y + 3 * apart, result, 3);
  }
  const last = multiplyLast(y + 3 * apart, x, weight + 3 * far, bias && bias + 3 * apart, inputs, outputs & 3);
  return !isSpoiled(madd(last, zero, spoiled));
}

/**
 * The same, to the bit, of an interleaved matrix, in which the eight rows of a dot product are one stream: nine loads for
 * eight multiply-adds of four, where `multiplyRow` needs ten. False if a result is not finite.
 */
export function multiplyInterleaved(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  inputs: i32,
  outputs: i32,
): bool {
  const row = (<usize> inputs) << 2;
  const rest = inputs & 3, part = (<usize> rest) << 2;
  const zero = f32x4.splat(0);
  let spoiled = zero;
  for (; outputs >= ROWS; outputs -= ROWS, y += 32) {
    let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    let from = x;
    for (const end = x + (row & ~31); from < end; from += 32, weight += 256) {
      const u = v128.load(from);
      a = madd(u, v128.load(weight), a), b = madd(u, v128.load(weight, 16), b);
      c = madd(u, v128.load(weight, 32), c), d = madd(u, v128.load(weight, 48), d);
      e = madd(u, v128.load(weight, 64), e), f = madd(u, v128.load(weight, 80), f);
      g = madd(u, v128.load(weight, 96), g), h = madd(u, v128.load(weight, 112), h);
      const v = v128.load(from, 16);
      a = madd(v, v128.load(weight, 128), a), b = madd(v, v128.load(weight, 144), b);
      c = madd(v, v128.load(weight, 160), c), d = madd(v, v128.load(weight, 176), d);
      e = madd(v, v128.load(weight, 192), e), f = madd(v, v128.load(weight, 208), f);
      g = madd(v, v128.load(weight, 224), g), h = madd(v, v128.load(weight, 240), h);
    }
    if (row & 16) {
      const u = v128.load(from);
      a = madd(u, v128.load(weight), a), b = madd(u, v128.load(weight, 16), b);
      c = madd(u, v128.load(weight, 32), c), d = madd(u, v128.load(weight, 48), d);
      e = madd(u, v128.load(weight, 64), e), f = madd(u, v128.load(weight, 80), f);
      g = madd(u, v128.load(weight, 96), g), h = madd(u, v128.load(weight, 112), h);
      from += 16, weight += 128;
    }
    if (rest) {
      const u = loadPart(from, rest);
      a = madd(u, loadPart(weight, rest), a), weight += part;
      b = madd(u, loadPart(weight, rest), b), weight += part;
      c = madd(u, loadPart(weight, rest), c), weight += part;
      d = madd(u, loadPart(weight, rest), d), weight += part;
      e = madd(u, loadPart(weight, rest), e), weight += part;
      f = madd(u, loadPart(weight, rest), f), weight += part;
      g = madd(u, loadPart(weight, rest), g), weight += part;
      h = madd(u, loadPart(weight, rest), h), weight += part;
    }
    let first = sums(a, b, c, d), second = sums(e, f, g, h);
    if (bias) {
      first = f32x4.add(first, v128.load(bias)), second = f32x4.add(second, v128.load(bias, 16));
      bias += 32;
    }
    spoiled = madd(second, zero, madd(first, zero, spoiled));
    v128.store(y, first), v128.store(y, second, 16);
  }
  if (outputs & 4) {
    let result = dot4(weight, row, 4, x, inputs);
    if (bias) result = f32x4.add(result, v128.load(bias));
    spoiled = madd(result, zero, spoiled);
    v128.store(y, result);
    y += 16, weight += 4 * row, bias = bias && bias + 16;
  }
  const last = multiplyLast(y, x, weight, bias, inputs, outputs & 3);
  return !isSpoiled(madd(last, zero, spoiled));
}

/** The last rows of a matrix, fewer than four; their results, or zeros where there are none. */
function multiplyLast(y: usize, x: usize, weight: usize, bias: usize, inputs: i32, outputs: i32): v128 {
  if (outputs == 0) return f32x4.splat(0);
  let result = dot4(weight, (<usize> inputs) << 2, outputs, x, inputs);
  if (bias) result = f32x4.add(result, loadPart(bias, outputs));
  storePart(y, result, outputs);
  return result;
}

/** Computes anew in double precision what is not finite of {@linkcode multiplyInterleaved}'s results. */
export function mendInterleaved(y: usize, x: usize, weight: usize, bias: usize, inputs: i32, outputs: i32): void {
  const row = (<usize> inputs) << 2;
  for (let output = 0; output < outputs; output++) {
    const to = y + ((<usize> output) << 2);
    if (isFinite32(load<f32>(to))) continue;
    const interleaved = output < (outputs & -ROWS);
    const first = weight + row * <usize> (interleaved ? output & -ROWS : output), r = output & (ROWS - 1);
    let sum: f64 = bias ? <f64> load<f32>(bias + ((<usize> output) << 2)) : 0;
    for (let i = 0; i < inputs; i++) {
      // Fours of the rows in turn, and then what is left of each.
      const start = i & ~3, width = min(4, inputs - start);
      const at = interleaved ? ROWS * start + r * width + i - start : i;
      sum += <f64> load<f32>(x + ((<usize> i) << 2)) * <f64> load<f32>(first + ((<usize> at) << 2));
    }
    store<f32>(to, <f32> sum);
  }
}

/** The dot products of `count` (1 to 4) rows, `apart` bytes apart, with x; what is past `count` repeats the last. */
export function dot4(a: usize, apart: usize, count: i32, x: usize, size: i32): v128 {
  const toB = count > 1 ? apart : 0, toC = count > 2 ? toB + apart : toB, toD = count > 3 ? toC + apart : toC;
  let sumA = f32x4.splat(0), sumB = sumA, sumC = sumA, sumD = sumA;
  const end = a + ((<usize> (size & ~3)) << 2);
  for (const whole = a + ((<usize> (size & ~15)) << 2); a < whole; a += 64, x += 64) {
    const b = a + toB, c = a + toC, d = a + toD;
    const s = v128.load(x);
    sumA = madd(s, v128.load(a), sumA), sumB = madd(s, v128.load(b), sumB);
    sumC = madd(s, v128.load(c), sumC), sumD = madd(s, v128.load(d), sumD);
    const t = v128.load(x, 16);
    sumA = madd(t, v128.load(a, 16), sumA), sumB = madd(t, v128.load(b, 16), sumB);
    sumC = madd(t, v128.load(c, 16), sumC), sumD = madd(t, v128.load(d, 16), sumD);
    const u = v128.load(x, 32);
    sumA = madd(u, v128.load(a, 32), sumA), sumB = madd(u, v128.load(b, 32), sumB);
    sumC = madd(u, v128.load(c, 32), sumC), sumD = madd(u, v128.load(d, 32), sumD);
    const v = v128.load(x, 48);
    sumA = madd(v, v128.load(a, 48), sumA), sumB = madd(v, v128.load(b, 48), sumB);
    sumC = madd(v, v128.load(c, 48), sumC), sumD = madd(v, v128.load(d, 48), sumD);
  }
  for (; a < end; a += 16, x += 16) {
    const b = a + toB, c = a + toC, d = a + toD;
    const u = v128.load(x);
    sumA = madd(u, v128.load(a), sumA), sumB = madd(u, v128.load(b), sumB);
    sumC = madd(u, v128.load(c), sumC), sumD = madd(u, v128.load(d), sumD);
  }
  const rest = size & 3;
  if (rest) {
    const b = a + toB, c = a + toC, d = a + toD;
    const u = loadPart(x, rest);
    sumA = madd(u, loadPart(a, rest), sumA), sumB = madd(u, loadPart(b, rest), sumB);
    sumC = madd(u, loadPart(c, rest), sumC), sumD = madd(u, loadPart(d, rest), sumD);
  }
  return sums(sumA, sumB, sumC, sumD);
}

/**
 * Interleaves the rows of a matrix in its place: of every eight, 16 bytes of each in turn, then what is left of each where
 * inputs is no multiple of four. Rows behind the last eight stay. False where eight rows are too wide to be held meanwhile:
 * then all stay. It takes no memory, so that it can't fail.
 */
export function interleave(weight: usize, inputs: i32, outputs: i32): bool {
  if (inputs > PACKED / ROWS) return false;
  const row = (<usize> inputs) << 2;
  for (; outputs >= ROWS; outputs -= ROWS) {
    memory.copy(packed, weight, ROWS * row);
    for (let i = 0; i < inputs; i += 4) {
      const count = min(4, inputs - i);
      for (let r = 0; r < ROWS; r++, weight += (<usize> count) << 2) {
        write(weight, read(packed + <usize> r * row + ((<usize> i) << 2), count), count);
      }
    }
  }
  return true;
}

/** Undoes it. */
export function separate(weight: usize, inputs: i32, outputs: i32): void {
  const row = (<usize> inputs) << 2;
  for (; outputs >= ROWS; outputs -= ROWS, weight += ROWS * row) {
    memory.copy(packed, weight, ROWS * row);
    let from = packed;
    for (let i = 0; i < inputs; i += 4) {
      const count = min(4, inputs - i);
      for (let r = 0; r < ROWS; r++, from += (<usize> count) << 2) {
        write(weight + <usize> r * row + ((<usize> i) << 2), read(from, count), count);
      }
    }
  }
}
