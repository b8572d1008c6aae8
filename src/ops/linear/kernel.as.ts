import { accumulate, loadPart, madd, read, storePart, sums, write } from "../../backends/wasm/vectors.as";
import { multiplyColumns, multiplyRows } from "./product.as";

/** So many numbers of x stay in the first-level cache while the weights pass by. */
const BLOCK: i32 = 6144;

/** y = x·Wᵀ + b */
export function linear(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
): void {
  if (rows == 1) multiplyVector(y, x, weight, bias, inputs, outputs);
  else if (rows < FEW) multiplyMatrix(y, x, weight, bias, rows, inputs, outputs);
  else multiplyRows(y, x, weight, true, bias, rows, inputs, outputs);
}

/** For fewer rows, packing the weights costs more than it saves. */
const FEW: i32 = 16;

/** gx = gy·W */
export function linearBackwardInput(
  gx: usize,
  gy: usize,
  weight: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
): void {
  multiplyRows(gx, gy, weight, false, 0, rows, outputs, inputs);
}

/** gW = gyᵀ·x, gb = Σ gy */
export function linearBackwardWeight(
  gWeight: usize,
  gBias: usize,
  gy: usize,
  x: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
): void {
  multiplyColumns(gWeight, gy, x, rows, outputs, inputs);
  if (gBias) sumRows(gBias, gy, rows, outputs);
}

/** y = Σ x over the rows */
function sumRows(y: usize, x: usize, rows: i32, columns: i32): void {
  const row = (<usize> columns) << 2;
  memory.fill(y, 0, row);
  for (let r = 0; r < rows; r++, x += row) accumulate(y, x, columns);
}

/**
 * One row of x. What takes the time is reading the weights, and four streams a quarter of the matrix apart come in
 * faster than one: the four rows of W in one dot product are not neighbours. One pointer runs through all of W, and 32
 * bytes of a row at a time: more of them come in slower. In Deno every load also costs a comparison with the end of the
 * memory (V8 there does not leave that to a page fault), so that a load saved is worth more than it looks.
 */
function multiplyVector(y: usize, x: usize, weight: usize, bias: usize, inputs: i32, outputs: i32): void {
  const row = (<usize> inputs) << 2;
  const quarter = outputs >> 2;
  const apart = (<usize> quarter) << 2, far = quarter * row;
  const rest = inputs & 3, left = outputs & 3;
  for (let output = 0; output < quarter; output++, y += 4) {
    let a0 = f32x4.splat(0), b0 = a0, c0 = a0, d0 = a0;
    let a1 = a0, b1 = a0, c1 = a0, d1 = a0;
    let from = x;
    for (const end = weight + (row & ~31); weight < end; weight += 32, from += 32) {
      const b = weight + far, c = b + far, d = c + far;
      const u = v128.load(from), v = v128.load(from, 16);
      a0 = madd(u, v128.load(weight), a0), a1 = madd(v, v128.load(weight, 16), a1);
      b0 = madd(u, v128.load(b), b0), b1 = madd(v, v128.load(b, 16), b1);
      c0 = madd(u, v128.load(c), c0), c1 = madd(v, v128.load(c, 16), c1);
      d0 = madd(u, v128.load(d), d0), d1 = madd(v, v128.load(d, 16), d1);
    }
    if (row & 16) {
      const b = weight + far, c = b + far, d = c + far;
      const u = v128.load(from);
      a0 = madd(u, v128.load(weight), a0), b0 = madd(u, v128.load(b), b0);
      c0 = madd(u, v128.load(c), c0), d0 = madd(u, v128.load(d), d0);
      weight += 16, from += 16;
    }
    if (rest) {
      const b = weight + far, c = b + far, d = c + far;
      const u = loadPart(from, rest);
      a1 = madd(u, loadPart(weight, rest), a1), b1 = madd(u, loadPart(b, rest), b1);
      c1 = madd(u, loadPart(c, rest), c1), d1 = madd(u, loadPart(d, rest), d1);
      weight += (<usize> rest) << 2;
    }
    let result = sums(f32x4.add(a0, a1), f32x4.add(b0, b1), f32x4.add(c0, c1), f32x4.add(d0, d1));
    if (bias) {
      let added = v128.load32_zero(bias);
      added = v128.load_lane<f32>(bias + apart, added, 1);
      added = v128.load_lane<f32>(bias + 2 * apart, added, 2);
      added = v128.load_lane<f32>(bias + 3 * apart, added, 3);
      result = f32x4.add(result, added);
      bias += 4;
    }
    v128.store_lane<f32>(y, result, 0);
    v128.store_lane<f32>(y + apart, result, 1);
    v128.store_lane<f32>(y + 2 * apart, result, 2);
    v128.store_lane<f32>(y + 3 * apart, result, 3);
  }
  if (left) {
    let result = dot4(weight + 3 * far, row, left, x, inputs);
    if (bias) result = f32x4.add(result, loadPart(bias + 3 * apart, left));
    storePart(y + 3 * apart, result, left);
  }
}

/** Several rows of x: tiles of three rows by four outputs, twelve sums in registers over the inputs. */
function multiplyMatrix(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
): void {
  const row = (<usize> inputs) << 2;
  const yRow = (<usize> outputs) << 2;
  const block = 3 * max(1, BLOCK / (3 * max(1, inputs)));
  for (let first = 0; first < rows; first += block) {
    const last = min(rows, first + block);
    for (let output = 0; output < outputs; output += 4) {
      const count = min(4, outputs - output);
      const at = (<usize> output) << 2;
      const from = weight + <usize> output * row;
      const added = bias ? read(bias + at, count) : f32x4.splat(0);
      let r = first;
      for (; r + 3 <= last; r += 3) {
        multiplyTile(y + <usize> r * yRow + at, yRow, x + <usize> r * row, from, row, count, inputs, added);
      }
      for (; r < last; r++) {
        const result = dot4(from, row, count, x + <usize> r * row, inputs);
        write(y + <usize> r * yRow + at, f32x4.add(result, added), count);
      }
    }
  }
}

/** Three rows of x by `count` (1 to 4) outputs; what is past `count` repeats the last one and isn't stored. */
// @ts-ignore: decorator
@inline
function multiplyTile(
  y: usize,
  yRow: usize,
  x: usize,
  weight: usize,
  row: usize,
  count: i32,
  inputs: i32,
  added: v128,
): void {
  const x1 = x + row, x2 = x1 + row;
  const a = weight;
  const b = count > 1 ? a + row : a;
  const c = count > 2 ? b + row : b;
  const d = count > 3 ? c + row : c;
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
  let c0 = a0, c1 = a0, c2 = a0, d0 = a0, d1 = a0, d2 = a0;
  const end = (<usize> (inputs & ~3)) << 2;
  for (let i: usize = 0; i < end; i += 16) {
    const u = v128.load(x + i), v = v128.load(x1 + i), w = v128.load(x2 + i);
    const p = v128.load(a + i), q = v128.load(b + i), r = v128.load(c + i), s = v128.load(d + i);
    a0 = madd(u, p, a0), a1 = madd(v, p, a1), a2 = madd(w, p, a2);
    b0 = madd(u, q, b0), b1 = madd(v, q, b1), b2 = madd(w, q, b2);
    c0 = madd(u, r, c0), c1 = madd(v, r, c1), c2 = madd(w, r, c2);
    d0 = madd(u, s, d0), d1 = madd(v, s, d1), d2 = madd(w, s, d2);
  }
  const rest = inputs & 3;
  if (rest) {
    const u = loadPart(x + end, rest), v = loadPart(x1 + end, rest), w = loadPart(x2 + end, rest);
    const p = loadPart(a + end, rest), q = loadPart(b + end, rest);
    const r = loadPart(c + end, rest), s = loadPart(d + end, rest);
    a0 = madd(u, p, a0), a1 = madd(v, p, a1), a2 = madd(w, p, a2);
    b0 = madd(u, q, b0), b1 = madd(v, q, b1), b2 = madd(w, q, b2);
    c0 = madd(u, r, c0), c1 = madd(v, r, c1), c2 = madd(w, r, c2);
    d0 = madd(u, s, d0), d1 = madd(v, s, d1), d2 = madd(w, s, d2);
  }
  write(y, f32x4.add(sums(a0, b0, c0, d0), added), count);
  write(y + yRow, f32x4.add(sums(a1, b1, c1, d1), added), count);
  write(y + 2 * yRow, f32x4.add(sums(a2, b2, c2, d2), added), count);
}

/** The dot products of `count` (1 to 4) rows, `apart` bytes apart, with x; what is past `count` repeats the last. */
export function dot4(a: usize, apart: usize, count: i32, x: usize, size: i32): v128 {
  const b = count > 1 ? a + apart : a;
  const c = count > 2 ? b + apart : b;
  const d = count > 3 ? c + apart : c;
  let a0 = f32x4.splat(0), b0 = a0, c0 = a0, d0 = a0;
  let a1 = a0, b1 = a0, c1 = a0, d1 = a0;
  const end = (<usize> (size & ~3)) << 2;
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    const u = v128.load(x + i), v = v128.load(x + i, 16);
    a0 = madd(u, v128.load(a + i), a0), a1 = madd(v, v128.load(a + i, 16), a1);
    b0 = madd(u, v128.load(b + i), b0), b1 = madd(v, v128.load(b + i, 16), b1);
    c0 = madd(u, v128.load(c + i), c0), c1 = madd(v, v128.load(c + i, 16), c1);
    d0 = madd(u, v128.load(d + i), d0), d1 = madd(v, v128.load(d + i, 16), d1);
  }
  if (i < end) {
    const u = v128.load(x + i);
    a0 = madd(u, v128.load(a + i), a0);
    b0 = madd(u, v128.load(b + i), b0);
    c0 = madd(u, v128.load(c + i), c0);
    d0 = madd(u, v128.load(d + i), d0);
  }
  const rest = size & 3;
  if (rest) {
    const u = loadPart(x + end, rest);
    a1 = madd(u, loadPart(a + end, rest), a1);
    b1 = madd(u, loadPart(b + end, rest), b1);
    c1 = madd(u, loadPart(c + end, rest), c1);
    d1 = madd(u, loadPart(d + end, rest), d1);
  }
  return sums(f32x4.add(a0, a1), f32x4.add(b0, b1), f32x4.add(c0, c1), f32x4.add(d0, d1));
}
