import { mendProducts } from "../../backends/wasm/exact.as";
import { areFinite, loadPart, madd, read, storePart, write } from "../../backends/wasm/vectors.as";
import { linear, linearBackwardInput, linearBackwardWeight } from "../linear/kernel.as";

/**
 * y `[batch, rows, columns]` = a·b, sums over `inner`. The matrices of a and b lie `aStep` and `bStep` elements apart,
 * or 0 if one serves all. `form` 0: a·b; 1: a·bᵀ; 2: aᵀ·b. These are the products of a linear map and of its
 * gradients.
 */
export function matmul(
  y: usize,
  a: usize,
  b: usize,
  batch: i32,
  rows: i32,
  inner: i32,
  columns: i32,
  aStep: i32,
  bStep: i32,
  form: i32,
): void {
  const size = (<usize> rows * <usize> columns) << 2;
  const aBytes = (<usize> aStep) << 2, bBytes = (<usize> bStep) << 2;
  for (; batch > 0; batch--, y += size, a += aBytes, b += bBytes) {
    if (form == 1) linear(y, a, b, 0, rows, inner, columns);
    else if (form == 2) linearBackwardWeight(y, 0, a, b, inner, columns, rows);
    else if (rows == 1) multiplyRow(y, a, b, inner, columns);
    else linearBackwardInput(y, a, b, rows, columns, inner);
  }
}

/** y = a·b of a single row, for which packing b would cost more than the product. */
function multiplyRow(y: usize, a: usize, b: usize, inner: i32, columns: i32): void {
  const row = (<usize> columns) << 2;
  memory.fill(y, 0, row);
  let at = a, from = b, left = inner;
  for (; left >= 4; left -= 4, at += 16, from += 4 * row) addRows(y, at, from, row, columns);
  for (; left > 0; left--, at += 4, from += row) addRow(y, at, from, columns);
  if (!areFinite(y, row)) mendProducts(y, row, a, (<usize> inner) << 2, 4, b, 4, row, 0, 1, inner, columns);
}

/** y += a₀·b₀ + … + a₃·b₃ for four rows of b. */
function addRows(y: usize, a: usize, b: usize, row: usize, columns: i32): void {
  const a0 = v128.load_splat<f32>(a), a1 = v128.load_splat<f32>(a + 4);
  const a2 = v128.load_splat<f32>(a + 8), a3 = v128.load_splat<f32>(a + 12);
  const b1 = row, b2 = 2 * row, b3 = 3 * row;
  for (const end = y + ((<usize> (columns & ~3)) << 2); y < end; y += 16, b += 16) {
    const left = madd(a0, v128.load(b), madd(a1, v128.load(b + b1), v128.load(y)));
    v128.store(y, madd(a2, v128.load(b + b2), madd(a3, v128.load(b + b3), left)));
  }
  const rest = columns & 3;
  if (!rest) return;
  const left = madd(a0, loadPart(b, rest), madd(a1, loadPart(b + b1, rest), loadPart(y, rest)));
  storePart(y, madd(a2, loadPart(b + b2, rest), madd(a3, loadPart(b + b3, rest), left)), rest);
}

/** y += a·b for a single row of b. */
function addRow(y: usize, a: usize, b: usize, columns: i32): void {
  const factor = v128.load_splat<f32>(a);
  for (; columns > 0; columns -= 4, y += 16, b += 16) {
    const part = min(4, columns);
    write(y, madd(factor, read(b, part), read(y, part)), part);
  }
}
