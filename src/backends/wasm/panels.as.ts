// Products of matrices that are small, or long and thin: the right side is packed once into panels of eight columns, so
// that whatever its shape was, the loop inside reads it from end to end, eight numbers at a time.

import { loadPart, madd, read, storePart } from "./vectors.as";

/** The columns of a panel. */
const WIDTH: i32 = 8;

/** A number of columns in whole panels. */
// @ts-ignore: decorator
@inline
export function inPanels(columns: i32): i32 {
  return (columns + WIDTH - 1) & -WIDTH;
}

/** Packs `rows` rows, `row` bytes apart, of `columns` columns; columns past the last are zeros. */
export function pack(to: usize, from: usize, row: usize, rows: i32, columns: i32): void {
  for (; columns >= WIDTH; columns -= WIDTH, from += 32) {
    let at = from;
    for (const end = to + ((<usize> rows) << 5); to < end; at += row, to += 32) {
      const u = v128.load(at), v = v128.load(at, 16);
      v128.store(to, u);
      v128.store(to, v, 16);
    }
  }
  if (columns) {
    for (const end = to + ((<usize> rows) << 5); to < end; from += row, to += 32) {
      v128.store(to, read(from, min(4, columns)));
      v128.store(to, columns > 4 ? loadPart(from + 16, columns - 4) : f32x4.splat(0), 16);
    }
  }
}

/** Packs the transposed matrix: a panel has eight rows, and past the last it stands again. */
export function packTransposed(to: usize, from: usize, row: usize, rows: i32, columns: i32): void {
  for (let r = 0; r < rows; r += WIDTH, from += WIDTH * row) {
    const last = from + <usize> (rows - 1 - r) * row;
    const a = from, b = min(last, a + row), c = min(last, b + row), d = min(last, c + row);
    const e = min(last, d + row), f = min(last, e + row), g = min(last, f + row), h = min(last, g + row);
    const end = (<usize> columns) << 2;
    for (let at: usize = 0; at < end; at += 4, to += 32) {
      v128.store(to, gather(a + at, b + at, c + at, d + at));
      v128.store(to, gather(e + at, f + at, g + at, h + at), 16);
    }
  }
}

// @ts-ignore: decorator
@inline
function gather(a: usize, b: usize, c: usize, d: usize): v128 {
  let x = v128.load32_zero(a);
  x = v128.load_lane<f32>(b, x, 1);
  x = v128.load_lane<f32>(c, x, 2);
  return v128.load_lane<f32>(d, x, 3);
}

/**
 * y = a·b, or y += a·b where `adds`: `rows`×`inner` by `inner`×`columns`. Of a, rows are `aRow` bytes apart and columns
 * `aStep`, so that it may as well stand transposed; the panels of b are `apart` bytes apart.
 */
export function multiply(
  y: usize,
  yRow: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  apart: usize,
  rows: i32,
  inner: i32,
  columns: i32,
  adds: bool,
): void {
  for (let column = 0; column < columns; column += WIDTH, y += 32, b += apart) {
    const width = min(WIDTH, columns - column);
    let from = a, to = y;
    for (let r = 0; r < rows; r += 4, from += 4 * aRow, to += 4 * yRow) {
      multiplyTile(to, yRow, from, aRow, aStep, b, min(4, rows - r), inner, width, adds);
    }
  }
}

/** `rows` (1 to 4) by `columns` (1 to 8); past the last row, the last row is taken again and not stored. */
// @ts-ignore: decorator
@inline
function multiplyTile(
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
