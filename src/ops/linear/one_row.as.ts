// Multiplies one row by a matrix, which is most of the work of a token. Its time is that of reading the weights. In
// Deno every load also costs a comparison with the end of the memory (V8 does not leave that to page faults there),
// so each load that is saved gains more than its own time.

import { isSpoiled, loadPart, madd, read, sums, write } from "../../backends/wasm/vectors.as";

/**
 * y = x·Wᵀ + b. Reads eight streams, with a stride of an eighth of the matrix. More rows at a time would exceed the
 * registers, and adjacent rows would be a single stream, which has less memory bandwidth. False if a result is not
 * finite.
 */
export function multiplyRow(y: usize, x: usize, weight: usize, bias: usize, inputs: i32, outputs: i32): bool {
  const row = (<usize> inputs) << 2;
  const eighth = outputs >> 3;
  const stride = (<usize> eighth) << 2, far = (<usize> eighth) * row;
  const fours = x + (row & ~63), whole = x + (row & ~15);
  const rest = inputs & 3;
  const zero = f32x4.splat(0);
  let spoiled = zero;
  for (let output = 0; output < eighth; output++, y += 4) {
    let a = zero, b = zero, c = zero, d = zero, e = zero, f = zero, g = zero, h = zero;
    let from = x;
    for (; from < fours; from += 64, weight += 64) {
      const s = v128.load(from), t = v128.load(from, 16), u = v128.load(from, 32), w = v128.load(from, 48);
      let at = weight;
      a = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), a)))), at += far;
      b = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), b)))), at += far;
      c = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), c)))), at += far;
      d = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), d)))), at += far;
      e = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), e)))), at += far;
      f = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), f)))), at += far;
      g = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), g)))), at += far;
      h = madd(w, v128.load(at, 48), madd(u, v128.load(at, 32), madd(t, v128.load(at, 16), madd(s, v128.load(at), h))));
    }
    for (; from < whole; from += 16, weight += 16) {
      const u = v128.load(from);
      let at = weight;
      a = madd(u, v128.load(at), a), at += far, b = madd(u, v128.load(at), b), at += far;
      c = madd(u, v128.load(at), c), at += far, d = madd(u, v128.load(at), d), at += far;
      e = madd(u, v128.load(at), e), at += far, f = madd(u, v128.load(at), f), at += far;
      g = madd(u, v128.load(at), g), at += far, h = madd(u, v128.load(at), h);
    }
    if (rest) {
      const u = loadPart(from, rest);
      let at = weight;
      a = madd(u, loadPart(at, rest), a), at += far, b = madd(u, loadPart(at, rest), b), at += far;
      c = madd(u, loadPart(at, rest), c), at += far, d = madd(u, loadPart(at, rest), d), at += far;
      e = madd(u, loadPart(at, rest), e), at += far, f = madd(u, loadPart(at, rest), f), at += far;
      g = madd(u, loadPart(at, rest), g), at += far, h = madd(u, loadPart(at, rest), h);
      weight += (<usize> rest) << 2;
    }
    let first = sums(a, b, c, d), second = sums(e, f, g, h);
    if (bias) {
      first = f32x4.add(first, gather(bias, stride)), second = f32x4.add(second, gather(bias + 4 * stride, stride));
      bias += 4;
    }
    spoiled = madd(second, zero, madd(first, zero, spoiled));
    scatter(y, stride, first), scatter(y + 4 * stride, stride, second);
  }
  // The remaining rows, fewer than eight, are adjacent.
  y += 7 * stride, weight += 7 * far, bias = bias && bias + 7 * stride;
  if (outputs & 4) {
    const result = multiplyFew(y, x, weight, bias, inputs, 4);
    spoiled = madd(result, zero, spoiled);
    y += 16, weight += 4 * row, bias = bias && bias + 16;
  }
  if (outputs & 3) spoiled = madd(multiplyFew(y, x, weight, bias, inputs, outputs & 3), zero, spoiled);
  return !isSpoiled(spoiled);
}

/** Computes and returns one to four results, of adjacent rows of the matrix. */
function multiplyFew(y: usize, x: usize, weight: usize, bias: usize, inputs: i32, outputs: i32): v128 {
  let result = dot4(weight, (<usize> inputs) << 2, outputs, x, inputs);
  if (bias) result = f32x4.add(result, read(bias, outputs));
  write(y, result, outputs);
  return result;
}

/** Loads four numbers, at intervals of `stride` bytes. */
// @ts-ignore: decorator
@inline
function gather(x: usize, stride: usize): v128 {
  const two = v128.load_lane<f32>(x + stride, v128.load32_zero(x), 1);
  return v128.load_lane<f32>(x + 3 * stride, v128.load_lane<f32>(x + 2 * stride, two, 2), 3);
}

// @ts-ignore: decorator
@inline
function scatter(y: usize, stride: usize, numbers: v128): void {
  v128.store_lane<f32>(y, numbers, 0);
  v128.store_lane<f32>(y + stride, numbers, 1);
  v128.store_lane<f32>(y + 2 * stride, numbers, 2);
  v128.store_lane<f32>(y + 3 * stride, numbers, 3);
}

/**
 * The dot products of x with `count` (1 to 4) rows, at intervals of `stride` bytes; past `count` the last is
 * repeated.
 */
export function dot4(a: usize, stride: usize, count: i32, x: usize, size: i32): v128 {
  const toB = count > 1 ? stride : 0, toC = count > 2 ? toB + stride : toB, toD = count > 3 ? toC + stride : toC;
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
