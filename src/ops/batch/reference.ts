import type { Floats } from "../../tensor.ts";

/** Copies `rows` rows of `width` elements; rows start `yStride` and `xStride` elements apart */
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
