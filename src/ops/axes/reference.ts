import type { Floats } from "../../tensor.ts";

/**
 * y[yOffset ...] = a view of x with six axes, row-major: element i₀ … i₅ is x[xOffset + i₀·s₀ + … + i₅·s₅], where
 * strides may be 0 or negative.
 */
export function copyStrided(
  y: Floats,
  yOffset: number,
  x: Floats,
  xOffset: number,
  n0: number,
  n1: number,
  n2: number,
  n3: number,
  n4: number,
  n5: number,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
  s4: number,
  s5: number,
): void {
  const sizes = [n0, n1, n2, n3, n4, n5], strides = [s0, s1, s2, s3, s4, s5];
  let next = yOffset;
  const copyFrom = (at: number, axis: number): void => {
    if (axis === sizes.length) {
      y[next++] = x[at];
      return;
    }
    for (let i = 0; i < sizes[axis]; i++) copyFrom(at + i * strides[axis], axis + 1);
  };
  copyFrom(xOffset, 0);
}
