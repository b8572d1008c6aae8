// Packs matrices into panels of eight columns, so that the inner loop of a product reads them sequentially, eight
// numbers at a time (see tiles.as.ts).

import { loadPart, read } from "./vectors.as";

/** The columns of a panel. */
export const WIDTH: i32 = 8;

/** A number of columns, rounded up to whole panels. */
// @ts-ignore: decorator
@inline
export function inPanels(columns: i32): i32 {
  return (columns + WIDTH - 1) & -WIDTH;
}

/** Packs `rows` rows of `columns` columns, with a row stride of `row` bytes. Columns are padded with zeros. */
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

/** Packs the transposed matrix, with eight rows to a panel; the last row is repeated as padding. */
export function packTransposed(to: usize, from: usize, row: usize, rows: i32, columns: i32): void {
  for (; rows > 0; rows -= WIDTH, from += WIDTH * row, to += (<usize> columns) << 5) {
    const lower = min(rows - 1, 4);
    turn(to, 32, from, row, rows, columns);
    turn(to + 16, 32, from + <usize> lower * row, row, rows - lower, columns);
  }
}

/** Transposes four rows; output rows are `stride` bytes apart. If there are fewer rows, the last is repeated. */
export function turn(to: usize, stride: usize, a: usize, row: usize, rows: i32, columns: i32): void {
  const b = rows > 1 ? a + row : a, c = rows > 2 ? b + row : b, d = rows > 3 ? c + row : c;
  const whole = (<usize> (columns & ~3)) << 2, end = (<usize> columns) << 2;
  let at: usize = 0;
  for (; at < whole; at += 16, to += 4 * stride) {
    const p = v128.load(a + at), q = v128.load(b + at), r = v128.load(c + at), s = v128.load(d + at);
    const pq01 = v128.shuffle<f32>(p, q, 0, 4, 1, 5), rs01 = v128.shuffle<f32>(r, s, 0, 4, 1, 5);
    const pq23 = v128.shuffle<f32>(p, q, 2, 6, 3, 7), rs23 = v128.shuffle<f32>(r, s, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(pq01, rs01, 0, 1, 4, 5));
    v128.store(to + stride, v128.shuffle<f32>(pq01, rs01, 2, 3, 6, 7));
    v128.store(to + 2 * stride, v128.shuffle<f32>(pq23, rs23, 0, 1, 4, 5));
    v128.store(to + 3 * stride, v128.shuffle<f32>(pq23, rs23, 2, 3, 6, 7));
  }
  for (; at < end; at += 4, to += stride) {
    let x = v128.load32_zero(a + at);
    x = v128.load_lane<f32>(b + at, x, 1);
    x = v128.load_lane<f32>(c + at, x, 2);
    v128.store(to, v128.load_lane<f32>(d + at, x, 3));
  }
}

/** Packs the first `count` numbers of rows with a stride of `row` bytes, in groups of four. */
export function packFour(to: usize, from: usize, row: usize, rows: i32, count: i32): void {
  for (const end = to + ((<usize> rows) << 4); to < end; to += 16, from += row) v128.store(to, read(from, count));
}
