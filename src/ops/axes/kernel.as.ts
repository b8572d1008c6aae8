import { turn } from "../../backends/wasm/panels.as";
import { copy, storePart } from "../../backends/wasm/vectors.as";

/**
 * y[yOffset ...] = a view of x with six axes, row-major: element i₀ … i₅ is x[xOffset + i₀·s₀ + … + i₅·s₅], where
 * strides may be 0 or negative. (Addresses wrap, so that adding a negative stride subtracts.)
 */
export function copyStrided(
  y: usize,
  yOffset: i32,
  x: usize,
  xOffset: i32,
  n0: i32,
  n1: i32,
  n2: i32,
  n3: i32,
  n4: i32,
  n5: i32,
  s0: i32,
  s1: i32,
  s2: i32,
  s3: i32,
  s4: i32,
  s5: i32,
): void {
  const step0 = (<usize> s0) << 2, step1 = (<usize> s1) << 2, step2 = (<usize> s2) << 2;
  const step3 = (<usize> s3) << 2, step4 = (<usize> s4) << 2, step5 = (<usize> s5) << 2;
  const plane = (<usize> n4 * <usize> n5) << 2;
  let to = y + ((<usize> yOffset) << 2), x0 = x + ((<usize> xOffset) << 2);
  for (let i0 = 0; i0 < n0; i0++, x0 += step0) {
    let x1 = x0;
    for (let i1 = 0; i1 < n1; i1++, x1 += step1) {
      let x2 = x1;
      for (let i2 = 0; i2 < n2; i2++, x2 += step2) {
        let x3 = x2;
        for (let i3 = 0; i3 < n3; i3++, x3 += step3, to += plane) {
          copyPlane(to, x3, n4, n5, step4, step5);
        }
      }
    }
  }
}

/** A view with two axes. */
function copyPlane(y: usize, x: usize, rows: i32, columns: i32, rowStep: usize, step: usize): void {
  if (rowStep == 4 && rows > 1 && columns > 1) {
    transpose(y, x, rows, columns, step);
    return;
  }
  const yRow = (<usize> columns) << 2;
  for (; rows > 0; rows--, y += yRow, x += rowStep) {
    if (step == 4) copy(y, x, columns);
    else if (step == 0) fill(y, x, columns);
    else for (let at = x, to = y, end = y + yRow; to < end; to += 4, at += step) store<u32>(to, load<u32>(at));
  }
}

/** The rows of y that are written together, so that their cache lines are filled while they are at hand. */
const BLOCK: i32 = 64;

/** y is `rows` × `columns`; the columns are rows of x, `step` bytes apart. */
function transpose(y: usize, x: usize, rows: i32, columns: i32, step: usize): void {
  const yRow = (<usize> columns) << 2;
  const whole = columns & ~3;
  for (let row = 0; row < rows; row += BLOCK, x += BLOCK << 2, y += BLOCK * yRow) {
    const count = min(BLOCK, rows - row);
    let from = x;
    for (let column = 0; column < whole; column += 4, from += 4 * step) {
      turn(y + ((<usize> column) << 2), yRow, from, step, 4, count);
    }
    for (let column = whole; column < columns; column++, from += step) {
      let to = y + ((<usize> column) << 2);
      for (let r: usize = 0; r < <usize> count; r++, to += yRow) store<u32>(to, load<u32>(from + (r << 2)));
    }
  }
}

/** Repeats one number. */
function fill(y: usize, x: usize, count: i32): void {
  const all = v128.load_splat<u32>(x);
  const end = y + ((<usize> (count & ~3)) << 2);
  for (; y < end; y += 16) v128.store(y, all);
  if (count & 3) storePart(y, all, count & 3);
}
