// Products of many rows, in blocks that fit the caches: one factor is packed into panels (see panels.as.ts), a few
// hundred steps of the sum at a time, and the rows of the other are multiplied with them (see tiles.as.ts).

import { pack, packTransposed } from "../../backends/wasm/panels.as";
import { multiply } from "../../backends/wasm/tiles.as";
import { copy, read } from "../../backends/wasm/vectors.as";

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

/** The most rows that are searched for zeros. */
const SEARCHED: i32 = 16384;
/** The indices of the rows that `findRows` found, of 16 bits each: at most half of those that are searched. */
const found = memory.data(8192 << 1, 16);

/**
 * Finds the rows that are not 0, for the sparse products below; returns their number, or -1 if they are more than half
 * of the rows: then a dense product is faster. A loss of the last step, or of a few that are not masked, has gradients
 * that are mostly 0.
 */
export function findRows(a: usize, rows: i32, columns: i32): i32 {
  if (rows > SEARCHED) return -1;
  const row = (<usize> columns) << 2, most = rows >> 1;
  let count = 0;
  for (let r = 0; r < rows; r++, a += row) {
    if (isZero(a, columns)) continue;
    if (count == most) return -1;
    store<u16>(found + ((<usize> count) << 1), <u16> r);
    count++;
  }
  return count;
}

/** Whether all of a row is 0. Most other rows show it in their first numbers. */
function isZero(x: usize, count: i32): bool {
  const magnitude = i32x4.splat(0x7fffffff);
  for (; count >= 16; count -= 16, x += 64) {
    const ab = v128.or(v128.load(x), v128.load(x, 16)), cd = v128.or(v128.load(x, 32), v128.load(x, 48));
    if (v128.any_true(v128.and(v128.or(ab, cd), magnitude))) return false;
  }
  for (; count > 0; count -= 4, x += 16) {
    if (v128.any_true(v128.and(read(x, min(4, count)), magnitude))) return false;
  }
  return true;
}

/**
 * The same as `multiplyRows` without transposition and bias, where b is finite and only the `count` rows of a that
 * `findRows` found are not 0.
 */
export function multiplyFoundRows(
  y: usize,
  a: usize,
  b: usize,
  count: i32,
  rows: i32,
  inner: i32,
  columns: i32,
): void {
  const yRow = (<usize> columns) << 2, aRow = (<usize> inner) << 2;
  memory.fill(y, 0, yRow * <usize> rows);
  for (let step = 0; step < inner; step += STEPS) {
    const steps = min(STEPS, inner - step);
    const from = a + ((<usize> step) << 2), stride = (<usize> steps) << 5;
    const width = widthOf(steps);
    for (let column = 0; column < columns; column += width) {
      const wide = min(width, columns - column);
      const to = (<usize> column) << 2;
      pack(packed, b + <usize> step * yRow + to, yRow, steps, wide);
      for (let i = 0; i < count;) {
        const first = rowAt(i);
        let high = 1;
        while (++i < count && rowAt(i) == first + high) high++;
        const into = y + <usize> first * yRow + to;
        multiply(into, yRow, from + <usize> first * aRow, aRow, 4, packed, stride, high, steps, wide, step > 0);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function rowAt(i: i32): i32 {
  return load<u16>(found + ((<usize> i) << 1));
}

/** The floats of rows that are gathered at a time: 32 KB, the end of the memory for panels, of which so few rows fill a third. */
const GATHERED: i32 = 8192;
const gathered = packed + (24576 << 2);
/** The most floats in the rows of a and b together of which enough can be gathered. */
export const WIDEST: i32 = 2048;

/** The same as `multiplyColumns` where b is finite and only the `count` rows of a that `findRows` found are not 0. */
export function multiplyFoundColumns(y: usize, a: usize, b: usize, count: i32, outputs: i32, columns: i32): void {
  const aRow = (<usize> outputs) << 2, bRow = (<usize> columns) << 2;
  const most = GATHERED / (outputs + columns);
  const bs = gathered + <usize> most * aRow;
  let first = 0;
  do {
    const steps = min(most, count - first);
    for (let i = 0; i < steps; i++) {
      const row = <usize> rowAt(first + i);
      copy(gathered + <usize> i * aRow, a + row * aRow, outputs);
      copy(bs + <usize> i * bRow, b + row * bRow, columns);
    }
    // Of no rows, the sum is 0.
    multiplyColumns(y, gathered, bs, steps, outputs, columns, first > 0);
    first += steps;
  } while (first < count);
}

/** The number of columns that are packed at a time. */
function widthOf(steps: i32): i32 {
  return PACKED / max(1, steps) & -8;
}
