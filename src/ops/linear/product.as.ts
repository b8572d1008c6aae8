// Products of many rows, in blocks that fit the caches: one factor is packed into panels (see panels.as.ts), a few
// hundred steps of the sum at a time, and the rows of the other are multiplied with them (see tiles.as.ts).

import { pack, packTransposed } from "../../backends/wasm/panels.as";
import { multiply } from "../../backends/wasm/tiles.as";
import { copy } from "../../backends/wasm/vectors.as";

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

/** y = aᵀ·b, a sum over the rows: a is [rows, outputs], b is [rows, columns]. */
export function multiplyColumns(y: usize, a: usize, b: usize, rows: i32, outputs: i32, columns: i32): void {
  const yRow = (<usize> columns) << 2, aRow = (<usize> outputs) << 2;
  let step = 0;
  do {
    const steps = min(STEPS, rows - step);
    const width = widthOf(steps);
    for (let column = 0; column < columns; column += width) {
      const count = min(width, columns - column);
      const to = (<usize> column) << 2;
      pack(packed, b + <usize> step * yRow + to, yRow, steps, count);
      multiply(y + to, yRow, a + <usize> step * aRow, 4, aRow, packed, (<usize> steps) << 5, outputs, steps, count, step > 0);
    }
    step += steps;
  } while (step < rows);
}

/** The number of columns that are packed at a time. */
function widthOf(steps: i32): i32 {
  return PACKED / max(1, steps) & -8;
}
