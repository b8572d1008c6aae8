import type { Floats } from "../../tensor.ts";

/** Copies `rows` rows of `width` elements, with strides of `yStride` and `xStride` elements. */
export function copyRows(
  y: Floats,
  yOffset: number,
  yStride: number,
  x: Floats,
  xOffset: number,
  xStride: number,
  rows: number,
  width: number,
): void {
  for (let row = 0; row < rows; row++) {
    const from = xOffset + row * xStride;
    y.set(x.subarray(from, from + width), yOffset + row * yStride);
  }
}
