// Products of small or long and thin matrices, in tiles whose sums stay in registers. The right side is packed in
// panels (see panels.as.ts).

import { packFour, turn, WIDTH } from "./panels.as";
import { loadPart, madd, storePart } from "./vectors.as";

/** The floats of the left side that are packed at a time: 16 KB, half of a small L1 cache. */
const LEFT: i32 = 4096;
const packedLeft = memory.data(4096 << 2, 64);
/**
 * The most steps of a sum that are packed, as many as `linear` has in a panel, so that its sums are not split
 * twice.
 */
const LEFT_STEPS: i32 = LEFT / 16;

/**
 * y = a·b, or y += a·b if `adds`: `rows`×`inner` by `inner`×`columns`. The rows of a have a stride of `aRow` bytes and
 * its columns of `aStep`, one of which is 4, so that a may be transposed. The panels of b are `stride` bytes apart. If
 * b has several, a is packed too, in groups of four rows, so that the numbers of a step are one load: in Deno every
 * load is followed by a comparison with the end of the memory, which costs as much.
 */
export function multiply(
  y: usize,
  yRow: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  stride: usize,
  rows: i32,
  inner: i32,
  columns: i32,
  adds: bool,
): void {
  if (columns <= WIDTH) {
    for (let r = 0; r < rows; r += 4, a += 4 * aRow, y += 4 * yRow) {
      multiplyTileInPlace(y, yRow, a, aRow, aStep, b, min(4, rows - r), inner, columns, adds);
    }
    return;
  }
  for (let step = 0; step < inner || step == 0; step += LEFT_STEPS) {
    const steps = min(LEFT_STEPS, inner - step);
    multiplyPart(y, yRow, a, aRow, aStep, b, stride, rows, steps, columns, adds || step > 0);
    a += LEFT_STEPS * aStep, b += LEFT_STEPS << 5;
  }
}

/** The same for a sum short enough that at least 16 rows of a are packed together. */
function multiplyPart(
  y: usize,
  yRow: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  stride: usize,
  rows: i32,
  steps: i32,
  columns: i32,
  adds: bool,
): void {
  const group = (<usize> steps) << 4;
  const height = LEFT / max(1, steps) & -4;
  for (; rows > 0; rows -= height, a += <usize> height * aRow, y += <usize> height * yRow) {
    const count = min(height, rows);
    for (let r = 0; r < count; r += 4) {
      const to = packedLeft + <usize> (r >> 2) * group, from = a + <usize> r * aRow;
      if (aStep == 4) turn(to, 16, from, aRow, count - r, steps);
      else packFour(to, from, aStep, steps, min(4, count - r));
    }
    // A tile of four rows would be half empty.
    const pair = (count & 3) == 1 || (count & 3) == 2 ? count & 3 : 0;
    const fours = count - pair;
    let panel = b, into = y;
    for (let column = 0; column < columns; column += WIDTH, into += 32, panel += stride) {
      const width = min(WIDTH, columns - column);
      let from = packedLeft, to = into;
      for (let r = 0; r < fours; r += 4, from += group, to += 4 * yRow) {
        multiplyTile(to, yRow, from, panel, min(4, count - r), steps, width, adds);
      }
    }
    if (pair) {
      const from = packedLeft + <usize> (fours >> 2) * group;
      multiplyPair(y + <usize> fours * yRow, yRow, from, b, stride, pair, steps, columns, adds);
    }
  }
}

/** Multiplies `rows` (1 to 4) by `columns` (1 to 8). The four numbers of each step of `a` are adjacent. */
// @ts-ignore: decorator
@inline
function multiplyTile(
  y: usize,
  yRow: usize,
  a: usize,
  b: usize,
  rows: i32,
  steps: i32,
  columns: i32,
  adds: bool,
): void {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  let t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  for (const end = b + ((<usize> steps) << 5); b < end; a += 16, b += 32) {
    const four = v128.load(a), u = v128.load(b), v = v128.load(b, 16);
    const w0 = v128.shuffle<f32>(four, four, 0, 0, 0, 0);
    s0 = madd(w0, u, s0), t0 = madd(w0, v, t0);
    const w1 = v128.shuffle<f32>(four, four, 1, 1, 1, 1);
    s1 = madd(w1, u, s1), t1 = madd(w1, v, t1);
    const w2 = v128.shuffle<f32>(four, four, 2, 2, 2, 2);
    s2 = madd(w2, u, s2), t2 = madd(w2, v, t2);
    const w3 = v128.shuffle<f32>(four, four, 3, 3, 3, 3);
    s3 = madd(w3, u, s3), t3 = madd(w3, v, t3);
  }
  finish(y, s0, t0, columns, adds);
  if (rows > 1) finish(y + yRow, s1, t1, columns, adds);
  if (rows > 2) finish(y + 2 * yRow, s2, t2, columns, adds);
  if (rows > 3) finish(y + 3 * yRow, s3, t3, columns, adds);
}

/** Multiplies one or two rows by all columns, two panels at a time. */
function multiplyPair(
  y: usize,
  yRow: usize,
  a: usize,
  b: usize,
  stride: usize,
  rows: i32,
  steps: i32,
  columns: i32,
  adds: bool,
): void {
  for (; columns > 0; columns -= 2 * WIDTH, y += 64, b += 2 * stride) {
    // Without a second panel, the first is multiplied again and the result discarded.
    let from = a, c = columns > WIDTH ? b + stride : b;
    let s0 = f32x4.splat(0), s1 = s0, t0 = s0, t1 = s0;
    let u0 = s0, u1 = s0, v0 = s0, v1 = s0;
    let at = b;
    for (const end = b + ((<usize> steps) << 5); at < end; from += 16, at += 32, c += 32) {
      const two = v128.load64_zero(from);
      const p = v128.load(at), q = v128.load(at, 16), r = v128.load(c), s = v128.load(c, 16);
      const w0 = v128.shuffle<f32>(two, two, 0, 0, 0, 0), w1 = v128.shuffle<f32>(two, two, 1, 1, 1, 1);
      s0 = madd(w0, p, s0), t0 = madd(w0, q, t0), u0 = madd(w0, r, u0), v0 = madd(w0, s, v0);
      s1 = madd(w1, p, s1), t1 = madd(w1, q, t1), u1 = madd(w1, r, u1), v1 = madd(w1, s, v1);
    }
    const first = min(WIDTH, columns), second = min(WIDTH, columns - WIDTH);
    finish(y, s0, t0, first, adds);
    if (rows > 1) finish(y + yRow, s1, t1, first, adds);
    if (second > 0) {
      finish(y + 32, u0, v0, second, adds);
      if (rows > 1) finish(y + yRow + 32, u1, v1, second, adds);
    }
  }
}

/** The same as `multiplyTile` without packing `a`. Past the last row, the last row is repeated and not stored. */
// @ts-ignore: decorator
@inline
function multiplyTileInPlace(
  y: usize,
  yRow: usize,
  a0: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  rows: i32,
  inner: i32,
  columns: i32,
  adds: bool,
): void {
  let a1 = rows > 1 ? a0 + aRow : a0, a2 = rows > 2 ? a1 + aRow : a1, a3 = rows > 3 ? a2 + aRow : a2;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  let t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  for (const end = b + ((<usize> inner) << 5); b < end; b += 32) {
    const u = v128.load(b), v = v128.load(b, 16);
    const w0 = v128.load_splat<f32>(a0), w1 = v128.load_splat<f32>(a1);
    s0 = madd(w0, u, s0), t0 = madd(w0, v, t0);
    s1 = madd(w1, u, s1), t1 = madd(w1, v, t1);
    const w2 = v128.load_splat<f32>(a2), w3 = v128.load_splat<f32>(a3);
    s2 = madd(w2, u, s2), t2 = madd(w2, v, t2);
    s3 = madd(w3, u, s3), t3 = madd(w3, v, t3);
    a0 += aStep, a1 += aStep, a2 += aStep, a3 += aStep;
  }
  finish(y, s0, t0, columns, adds);
  if (rows > 1) finish(y + yRow, s1, t1, columns, adds);
  if (rows > 2) finish(y + 2 * yRow, s2, t2, columns, adds);
  if (rows > 3) finish(y + 3 * yRow, s3, t3, columns, adds);
}

// @ts-ignore: decorator
@inline
function finish(y: usize, left: v128, right: v128, columns: i32, adds: bool): void {
  if (columns < WIDTH) {
    finishPart(y, left, right, columns, adds);
    return;
  }
  if (adds) {
    left = f32x4.add(left, v128.load(y));
    right = f32x4.add(right, v128.load(y, 16));
  }
  v128.store(y, left);
  v128.store(y, right, 16);
}

function finishPart(y: usize, left: v128, right: v128, columns: i32, adds: bool): void {
  if (columns >= 4) {
    v128.store(y, adds ? f32x4.add(left, v128.load(y)) : left);
    y += 16;
    columns -= 4;
    left = right;
  }
  if (columns) storePart(y, adds ? f32x4.add(left, loadPart(y, columns)) : left, columns);
}
