// One matrix product behind the three of `linear`: y = x·Wᵀ, gx = gy·W, gW = gyᵀ·x. The right factor is packed into
// panels of eight columns, of which a tile of the result takes two vectors a step; numbers of the left factor are
// spread over a vector as they are loaded, so nothing has to be summed across lanes, and it may lie in either order.

import { accumulate, copy, loadPart, madd } from "../../backends/wasm/vectors.as";

/** Rows and columns of a tile: ten sums, two vectors of a panel and one number leave room in 16 registers. */
const ROWS: i32 = 5;
const COLUMNS: i32 = 8;
const PANEL_ROW: usize = 32;

/** So many steps of the sum a panel has at most: it stays in the first-level cache, all panels in the second. */
const DEPTH: i32 = 256;
/** The panels that are packed at a time, each behind the row that its sums start from, and the tile at an edge. */
const PACKED: i32 = 32768;
const packed = memory.data(32768 << 2, 64);
const edge = memory.data(5 << 5, 64);

/**
 * C = A·B + bias, where A is [rows, depth] with elements `aRow` and `aStep` bytes apart, B is [depth, columns] with
 * `bStep` and `bColumn`, one of which is 4, and C is without gaps. `bias` is one a column, or null.
 */
export function product(
  c: usize,
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  bColumn: usize,
  bias: usize,
  rows: i32,
  depth: i32,
  columns: i32,
): void {
  const cRow = (<usize> columns) << 2;
  let step = 0;
  do {
    const steps = min(DEPTH, depth - step);
    const panel = (<usize> steps + 1) * PANEL_ROW;
    const width = PACKED / ((steps + 1) * COLUMNS) * COLUMNS;
    for (let column = 0; column < columns; column += width) {
      const count = min(width, columns - column);
      const at = (<usize> column) << 2;
      const added = step == 0 && bias ? bias + at : 0;
      pack(b + <usize> column * bColumn, bStep, bColumn, added, steps, count);
      for (let row = 0; row < rows; row += ROWS) {
        const height = min(ROWS, rows - row);
        let to = c + <usize> row * cRow + at;
        let from = packed;
        const left = a + <usize> row * aRow;
        for (let rest = count; rest > 0; rest -= COLUMNS, to += PANEL_ROW, from += panel) {
          if (rest >= COLUMNS && height == ROWS) {
            multiplyTile(to, cRow, left, aRow, aStep, from, panel, ROWS, step > 0);
          } else {
            multiplyTile(edge, PANEL_ROW, left, aRow, aStep, from, panel, height, false);
            for (let r = 0; r < height; r++) {
              const y = to + <usize> r * cRow, tile = edge + <usize> r * PANEL_ROW;
              if (step > 0) accumulate(y, tile, min(COLUMNS, rest));
              else copy(y, tile, min(COLUMNS, rest));
            }
          }
        }
      }
    }
    a += <usize> steps * aStep;
    b += <usize> steps * bStep;
    step += steps;
  } while (step < depth);
}

/** Five rows by a panel; past `height` the last row is taken again. With `more`, it is added to what stands there. */
function multiplyTile(
  c: usize,
  cRow: usize,
  a0: usize,
  aRow: usize,
  aStep: usize,
  panel: usize,
  size: usize,
  height: i32,
  more: bool,
): void {
  const end = panel + size;
  let p0 = v128.load(panel), q0 = v128.load(panel, 16);
  let p1 = p0, q1 = q0, p2 = p0, q2 = q0, p3 = p0, q3 = q0, p4 = p0, q4 = q0;
  let a1 = height > 1 ? a0 + aRow : a0;
  let a2 = height > 2 ? a1 + aRow : a1;
  let a3 = height > 3 ? a2 + aRow : a2;
  let a4 = height > 4 ? a3 + aRow : a3;
  for (panel += PANEL_ROW; panel < end; panel += PANEL_ROW) {
    const u = v128.load(panel), v = v128.load(panel, 16);
    const x0 = v128.load_splat<f32>(a0);
    p0 = madd(x0, u, p0), q0 = madd(x0, v, q0);
    const x1 = v128.load_splat<f32>(a1);
    p1 = madd(x1, u, p1), q1 = madd(x1, v, q1);
    const x2 = v128.load_splat<f32>(a2);
    p2 = madd(x2, u, p2), q2 = madd(x2, v, q2);
    const x3 = v128.load_splat<f32>(a3);
    p3 = madd(x3, u, p3), q3 = madd(x3, v, q3);
    const x4 = v128.load_splat<f32>(a4);
    p4 = madd(x4, u, p4), q4 = madd(x4, v, q4);
    a0 += aStep, a1 += aStep, a2 += aStep, a3 += aStep, a4 += aStep;
  }
  storeRow(c, p0, q0, more);
  storeRow(c + cRow, p1, q1, more);
  storeRow(c + 2 * cRow, p2, q2, more);
  storeRow(c + 3 * cRow, p3, q3, more);
  storeRow(c + 4 * cRow, p4, q4, more);
}

// @ts-ignore: decorator
@inline
function storeRow(c: usize, p: v128, q: v128, more: bool): void {
  if (more) {
    p = f32x4.add(v128.load(c), p);
    q = f32x4.add(v128.load(c, 16), q);
  }
  v128.store(c, p);
  v128.store(c, q, 16);
}

/** Packs `steps` rows of B into panels, zeros past the last column, behind a row of `bias` or zeros each. */
function pack(b: usize, bStep: usize, bColumn: usize, bias: usize, steps: i32, columns: i32): void {
  let to = packed;
  for (let rest = columns; rest > 0; rest -= 4) {
    const count = min(4, rest);
    const half = to;
    v128.store(half, !bias ? f32x4.splat(0) : count == 4 ? v128.load(bias) : loadPart(bias, count));
    if (bias) bias += 16;
    if (bStep == 4) packColumns(half + PANEL_ROW, b, bColumn, steps, count);
    else packRows(half + PANEL_ROW, b, bStep, steps, count);
    b += bColumn << 2;
    // The other half of the panel, or the next one.
    to += (to - packed) / 16 % 2 ? (<usize> steps + 1) * PANEL_ROW - 16 : 16;
  }
  if ((columns + 3) / 4 % 2) {
    // Half a panel of zeros.
    for (let step = 0; step <= steps; step++, to += PANEL_ROW) v128.store(to, f32x4.splat(0));
  }
}

/** Rows of up to four numbers, `apart` bytes from one another. */
function packRows(to: usize, from: usize, apart: usize, steps: i32, count: i32): void {
  const end = to + <usize> steps * PANEL_ROW;
  if (count == 4) {
    for (; to < end; to += PANEL_ROW, from += apart) v128.store(to, v128.load(from));
  } else {
    for (; to < end; to += PANEL_ROW, from += apart) v128.store(to, loadPart(from, count));
  }
}

/** Up to four columns, `apart` bytes from one another, four steps at a time. */
function packColumns(to: usize, a: usize, apart: usize, steps: i32, count: i32): void {
  const b = count > 1 ? a + apart : a;
  const c = count > 2 ? b + apart : b;
  const d = count > 3 ? c + apart : c;
  const end = (<usize> (steps & ~3)) << 2;
  let i: usize = 0;
  for (; i < end; i += 16, to += 4 * PANEL_ROW) {
    const p = v128.load(a + i), q = v128.load(b + i), r = v128.load(c + i), s = v128.load(d + i);
    const pq = v128.shuffle<f32>(p, q, 0, 4, 1, 5), rs = v128.shuffle<f32>(r, s, 0, 4, 1, 5);
    v128.store(to, v128.shuffle<f32>(pq, rs, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(pq, rs, 2, 3, 6, 7), 32);
    const pq2 = v128.shuffle<f32>(p, q, 2, 6, 3, 7), rs2 = v128.shuffle<f32>(r, s, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(pq2, rs2, 0, 1, 4, 5), 64);
    v128.store(to, v128.shuffle<f32>(pq2, rs2, 2, 3, 6, 7), 96);
  }
  for (const last = (<usize> steps) << 2; i < last; i += 4, to += PANEL_ROW) {
    store<f32>(to, load<f32>(a + i));
    store<f32>(to, load<f32>(b + i), 4);
    store<f32>(to, load<f32>(c + i), 8);
    store<f32>(to, load<f32>(d + i), 12);
  }
}
