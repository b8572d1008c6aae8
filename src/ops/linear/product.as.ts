// Products of many rows, in blocks that fit the caches: one factor is packed into panels (see panels.as.ts), a few
// hundred steps of the sum at a time, and the rows of the other are multiplied with them (see tiles.as.ts).

import { pack, packTransposed } from "../../backends/wasm/panels.as";
import { multiply } from "../../backends/wasm/tiles.as";
import { areFinite, copy, loadPart } from "../../backends/wasm/vectors.as";

/** The steps of a sum in a panel, which is then at most 8 KB. */
const STEPS: i32 = 256;
/** The floats in the panels that are packed at a time: 128 KB, a part of the L2 cache. */
const PACKED: i32 = 32768;
/** The packed panels; between products, other kernels may use this memory. */
const packed = memory.data(32768 << 2, 64);

/** y = a·b + bias, or y = a·bᵀ + bias if b is `transposed`; a is [rows, inner], y is [rows, columns]. */
export function multiplyRows(
  y: usize,
  a: usize,
  b: usize,
  transposed: bool,
  bias: usize,
  rows: i32,
  inner: i32,
  columns: i32,
): void {
  const yRow = (<usize> columns) << 2, aRow = (<usize> inner) << 2;
  let step = 0;
  do {
    const steps = min(STEPS, inner - step);
    const at = (<usize> step) << 2;
    const width = widthOf(steps);
    for (let column = 0; column < columns; column += width) {
      const count = min(width, columns - column);
      const to = (<usize> column) << 2;
      if (transposed) packTransposed(packed, b + <usize> column * aRow + at, aRow, count, steps);
      else pack(packed, b + <usize> step * yRow + to, yRow, steps, count);
      const into = y + to;
      if (bias && step == 0) for (let r = 0; r < rows; r++) copy(into + <usize> r * yRow, bias + to, count);
      multiply(into, yRow, a + at, aRow, 4, packed, (<usize> steps) << 5, rows, steps, count, bias != 0 || step > 0);
    }
    step += steps;
  } while (step < inner);
}

/** y = aᵀ·b, or y += aᵀ·b if `adds`, a sum over the rows: a is [rows, outputs], b is [rows, columns]. */
export function multiplyColumns(
  y: usize,
  a: usize,
  b: usize,
  rows: i32,
  outputs: i32,
  columns: i32,
  adds: bool,
): void {
  const yRow = (<usize> columns) << 2, aRow = (<usize> outputs) << 2;
  let step = 0;
  do {
    const steps = min(STEPS, rows - step);
    const width = widthOf(steps);
    for (let column = 0; column < columns; column += width) {
      const count = min(width, columns - column);
      const to = (<usize> column) << 2;
      pack(packed, b + <usize> step * yRow + to, yRow, steps, count);
      multiply(y + to, yRow, a + <usize> step * aRow, 4, aRow, packed, (<usize> steps) << 5, outputs, steps, count, adds || step > 0);
    }
    step += steps;
  } while (step < rows);
}

/**
 * The same as `multiplyRows` without transposition and bias, where most rows of a are 0, and b is finite: their
 * products are 0. A loss of the last step, or of a few that are not masked, has such gradients.
 */
export function multiplySparseRows(y: usize, a: usize, b: usize, rows: i32, inner: i32, columns: i32): void {
  const yRow = (<usize> columns) << 2, aRow = (<usize> inner) << 2;
  memory.fill(y, 0, yRow * <usize> rows);
  for (let step = 0; step < inner; step += STEPS) {
    const steps = min(STEPS, inner - step);
    const from = a + ((<usize> step) << 2);
    const width = widthOf(steps);
    for (let column = 0; column < columns; column += width) {
      const count = min(width, columns - column);
      const to = (<usize> column) << 2;
      pack(packed, b + <usize> step * yRow + to, yRow, steps, count);
      for (let r = 0; r < rows;) {
        const first = r;
        while (r < rows && !isZero(a + <usize> r * aRow, inner)) r++;
        const into = y + <usize> first * yRow + to;
        if (r > first) multiply(into, yRow, from + <usize> first * aRow, aRow, 4, packed, (<usize> steps) << 5, r - first, steps, count, step > 0);
        else r++;
      }
    }
  }
}

/** The floats of rows that are gathered at a time: 64 KB. */
const GATHERED: i32 = 16384;
const gathered = memory.data(16384 << 2, 64);
/** The most floats in the rows of a and b together of which enough can be gathered. */
export const WIDEST: i32 = 2048;

/** The same as `multiplyColumns` where most rows of a are 0. They are left out where the row of b is finite. */
export function multiplySparseColumns(y: usize, a: usize, b: usize, rows: i32, outputs: i32, columns: i32): void {
  const aRow = (<usize> outputs) << 2, bRow = (<usize> columns) << 2;
  const most = GATHERED / (outputs + columns);
  const bs = gathered + <usize> most * aRow;
  let count = 0, adds = false;
  for (let r = 0; r < rows; r++, a += aRow, b += bRow) {
    if (isZero(a, outputs) && areFinite(b, bRow)) continue;
    copy(gathered + <usize> count * aRow, a, outputs);
    copy(bs + <usize> count * bRow, b, columns);
    if (++count == most) {
      multiplyColumns(y, gathered, bs, count, outputs, columns, adds);
      count = 0, adds = true;
    }
  }
  // Of no rows, the sum is 0.
  if (count || !adds) multiplyColumns(y, gathered, bs, count, outputs, columns, adds);
}

/** Whether at most half of the rows are not 0. */
export function areMostZero(a: usize, rows: i32, columns: i32): bool {
  const row = (<usize> columns) << 2;
  let others = 0;
  for (let r = 0; r < rows; r++, a += row) if (!isZero(a, columns) && ++others << 1 > rows) return false;
  return true;
}

/** Whether all of a row is 0, most often seen in its first numbers. */
function isZero(x: usize, count: i32): bool {
  const zero = f32x4.splat(0);
  for (; count >= 4; count -= 4, x += 16) if (v128.any_true(f32x4.ne(v128.load(x), zero))) return false;
  return count == 0 || !v128.any_true(f32x4.ne(loadPart(x, count), zero));
}

/** The number of columns that are packed at a time. */
function widthOf(steps: i32): i32 {
  return PACKED / max(1, steps) & -8;
}
