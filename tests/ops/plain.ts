/** Tensors as plain arrays, computed element by element, and shapes to draw: what properties compare with. */
import fc from "fast-check";

/** A tensor in double precision. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Every index of a shape, in row-major order. */
export function indicesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (before, size) => before.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The element at an index. */
export function elementAt({ shape, data }: Plain, index: readonly number[]): number {
  return data[index.reduce((at, i, axis) => at * shape[axis] + i, 0)];
}

/** The tensor of a shape whose elements are a function of the index. */
export function plain(shape: readonly number[], at: (index: readonly number[]) => number): Plain {
  return { shape, data: indicesOf(shape).map(at) };
}

/** The element of a tensor that is broadcast to an index of another shape. */
export function broadcastAt(x: Plain, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length);
  return elementAt(x, own.map((i, axis) => x.shape[axis] === 1 ? 0 : i));
}

/** A whole number, so that sums are exact in any order and precision, and no divisor. */
const number = fc.integer({ min: 1, max: 9 }).chain((size) => fc.constantFrom(size, -size));

/** Shapes of a number of axes, also with ones and zeros among the sizes. */
export function shapes(least: number, most: number, smallest = 0): fc.Arbitrary<number[]> {
  const size = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom(1, smallest));
  return fc.array(size, { minLength: least, maxLength: most });
}

/** A tensor of a shape. */
export function tensorsOf(shape: readonly number[]): fc.Arbitrary<Plain> {
  const size = shape.reduce((product, size) => product * size, 1);
  return fc.array(number, { minLength: size, maxLength: size }).map((data) => ({ shape, data }));
}

/** Two shapes that are broadcast to a third. */
export const broadcastShapes: fc.Arbitrary<{ a: number[]; b: number[]; shape: number[] }> = shapes(0, 4)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      ones: fc.array(fc.constantFrom("a", "b", "none"), { minLength: shape.length, maxLength: shape.length }),
      missing: fc.nat(shape.length),
    })
  ).map(({ shape, ones, missing }) => {
    const a = shape.map((size, axis) => ones[axis] === "a" ? 1 : size);
    const b = shape.map((size, axis) => ones[axis] === "b" ? 1 : size);
    // One in front may be missing as well as 1, if the other has it.
    const all = shape.map((_, axis) => Math.max(a[axis], b[axis]));
    const short = b.slice(missing);
    return {
      a,
      b: short,
      shape: all.map((_, axis) => axis < missing ? a[axis] : a[axis] === 1 ? b[axis] : a[axis]),
    };
  });
