import { copy } from "../../backends/wasm/vectors.as";

/** Copies `rows` rows of `width` elements, with strides of `yStride` and `xStride` elements. */
export function copyRows(
  y: usize,
  yOffset: i32,
  yStride: i32,
  x: usize,
  xOffset: i32,
  xStride: i32,
  rows: i32,
  width: i32,
): void {
  y += (<usize> yOffset) << 2;
  x += (<usize> xOffset) << 2;
  const yRow = (<usize> yStride) << 2;
  const xRow = (<usize> xStride) << 2;
  for (let row = 0; row < rows; row++, y += yRow, x += xRow) copy(y, x, width);
}
