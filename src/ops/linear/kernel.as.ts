import { mendProducts } from "../../backends/wasm/exact.as";
import { accumulate, areFinite, loadPart, madd, read, sums, write } from "../../backends/wasm/vectors.as";
import { dot4, multiplyRow } from "./one_row.as";
import {
  findRows,
  multiplyColumns,
  multiplyFoundColumns,
  multiplyFoundRows,
  multiplyRows,
  WIDEST,
} from "./product.as";

/** The number of elements of x that stay in the L1 cache while the weights are read. */
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
  const xRow = (<usize> inputs) << 2, yRow = (<usize> outputs) << 2;
  let finite: bool;
  if (rows == 1) {
    finite = multiplyRow(y, x, weight, bias, inputs, outputs);
  } else {
    if (rows < FEW) multiplyMatrix(y, x, weight, bias, rows, inputs, outputs);
    else multiplyRows(y, x, weight, true, bias, rows, inputs, outputs);
    finite = areFinite(y, yRow * <usize> rows);
  }
  if (!finite) mendProducts(y, yRow, x, xRow, 4, weight, xRow, 4, bias, rows, inputs, outputs);
}

/** With fewer rows, packing the weights costs more than it saves. */
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
  const xRow = (<usize> inputs) << 2, yRow = (<usize> outputs) << 2;
  const count = findRows(gy, rows, outputs);
  if (count >= 0 && areFinite(weight, xRow * <usize> outputs)) {
    multiplyFoundRows(gx, gy, weight, count, rows, outputs, inputs);
  } else multiplyRows(gx, gy, weight, false, 0, rows, outputs, inputs);
  if (!areFinite(gx, xRow * <usize> rows)) {
    mendProducts(gx, xRow, gy, yRow, 4, weight, 4, xRow, 0, rows, outputs, inputs);
  }
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
  const xRow = (<usize> inputs) << 2, yRow = (<usize> outputs) << 2;
  const count = outputs + inputs <= WIDEST ? findRows(gy, rows, outputs) : -1;
  if (count >= 0 && areFinite(x, xRow * <usize> rows)) {
    multiplyFoundColumns(gWeight, gy, x, count, outputs, inputs);
  } else multiplyColumns(gWeight, gy, x, rows, outputs, inputs, false);
  if (!areFinite(gWeight, xRow * <usize> outputs)) {
    mendProducts(gWeight, xRow, gy, 4, yRow, x, 4, xRow, 0, outputs, rows, inputs);
  }
  if (gBias) sumRows(gBias, gy, rows, outputs);
}

/** y = Σ x over the rows */
function sumRows(y: usize, x: usize, rows: i32, columns: i32): void {
  const row = (<usize> columns) << 2;
  memory.fill(y, 0, row);
  for (let r = 0; r < rows; r++, x += row) accumulate(y, x, columns);
}

/** Several rows of x: tiles of three rows by four outputs, with twelve sums in registers over the inputs. */
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

/** Three rows of x by `count` (1 to 4) outputs; past `count` the last one is repeated and not stored. */
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
