/**
 * Tensors in other shapes: their axes merged and split, permuted, cut, reversed and joined.
 *
 * @module
 */
import { checkInteger, shapeError, show, showShape } from "../../check.ts";
import { compute, run } from "../../compute.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { sizeOf, sumOf } from "../../tree.ts";
import { around, backendOfList, checkAxis, checkTensor } from "./check.ts";
import { copyView, stridesOf } from "./copy.ts";

/**
 * The same numbers in another shape: `y.flat[i] = x.flat[i]` in row-major order.
 *
 * @param x any shape
 * @param shape sizes whose product is x's number of elements; one may be -1, and is computed from the others
 * @returns y, of that shape
 * @throws {TypeError} if x is not a tensor, or the shape is of another number of elements
 * @throws {RangeError} if a size is not an integer from -1 on
 *
 * @example
 * ```ts
 * import { reshape, tensor } from "@seqmix/seqmix";
 *
 * console.log(reshape(tensor([1, 2, 3, 4, 5, 6], [6]), [2, -1]).shape); // [ 2, 3 ]
 * ```
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const action = "reshape";
  checkTensor(action, "x", x);
  if (!Array.isArray(shape)) {
    throw new TypeError(`Cannot ${action}: shape must be a list of sizes, current value is ${show(shape)}`);
  }
  shape.forEach((size, axis) => checkInteger(action, `shape[${axis}]`, size, -1));
  const size = sizeOf(x.shape), known = sizeOf(shape.filter((size) => size >= 0));
  const isOpen = shape.includes(-1);
  if (shape.indexOf(-1) !== shape.lastIndexOf(-1)) {
    throw new TypeError(
      `Cannot ${action}: shape must have at most one -1, current shape is ${showShape(shape)}`,
    );
  }
  // With a size of 0 beside it, -1 could stand for any size.
  if (isOpen ? known === 0 || size % known !== 0 : known !== size) {
    throw new TypeError(
      `Cannot ${action}: shape must hold the ${size} numbers of x, current shape is ${showShape(shape)}`,
    );
  }
  return compute(reshapeOp, [x], shape.map((own) => own === -1 ? size / known : own))[0];
}

/** gx = gy in x's shape. */
export const reshapeOp = defineOperation({
  name: "reshape",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  compute(device, [x], shape) {
    const y = device.store.make(shape);
    copyView(device, y, device.memory(x), 0, [{ size: sizeOf(shape), stride: 1 }]);
    return [y];
  },
  gradient: ({ inputs: [x], grads: [gy] }) => [reshape(gy, x.shape)],
});

/**
 * The axes in another order: axis i of y is axis `axes[i]` of x.
 *
 * @param x any shape
 * @param axes each axis of x once; negative ones count from the end
 * @returns y, whose sizes are x's in that order
 * @throws {TypeError} if x is not a tensor, or axes no permutation of its axes
 *
 * @example
 * ```ts
 * import { read, tensor, transpose } from "@seqmix/seqmix";
 *
 * const y = transpose(tensor([1, 2, 3, 4, 5, 6], [2, 3]), [1, 0]);
 * console.log(y.shape, await read(y)); // [ 3, 2 ] Float32Array(6) [ 1, 4, 2, 5, 3, 6 ]
 * ```
 */
export function transpose(x: Tensor, axes: readonly number[]): Tensor {
  const action = "transpose";
  checkTensor(action, "x", x);
  const rank = x.shape.length;
  const order = Array.isArray(axes)
    ? axes.map((axis) => typeof axis === "number" && axis < 0 ? axis + rank : axis)
    : [];
  if (order.length !== rank || x.shape.some((_, axis) => !order.includes(axis))) {
    throw new TypeError(
      `Cannot ${action}: axes must be a permutation of ${showShape([...x.shape.keys()])}, current ${
        Array.isArray(axes) ? `axes are ${showShape(axes.map(show))}` : `value is ${show(axes)}`
      }`,
    );
  }
  return compute(transposeOp, [x], order)[0];
}

/** The inverse permutation of gy. */
export const transposeOp = defineOperation({
  name: "transpose",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  compute(device, [x], axes) {
    const strides = stridesOf(x.shape), y = device.store.make(axes.map((axis) => x.shape[axis]));
    copyView(
      device,
      y,
      device.memory(x),
      0,
      axes.map((axis, i) => ({ size: y.shape[i], stride: strides[axis] })),
    );
    return [y];
  },
  gradient: ({ constants: axes, grads: [gy] }) => [transpose(gy, axes.map((_, axis) => axes.indexOf(axis)))],
});

/**
 * The elements of an axis from `start` up to, but not including, `end`.
 *
 * @param x any shape of at least one axis
 * @param axis negative ones count from the end
 * @param start from 0 to the axis's size; negative ones count from its end
 * @param end the same, at least `start`; default the axis's size
 * @returns y, of x's shape, except that the axis has `end - start` elements
 * @throws {TypeError} if x is not a tensor of at least one axis
 * @throws {RangeError} if x has no such axis, or the axis no such part
 *
 * @example
 * ```ts
 * import { read, slice, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(slice(tensor([1, 2, 3, 4, 5, 6], [2, 3]), 1, 0, 2))); // Float32Array(4) [ 1, 2, 4, 5 ]
 * ```
 */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  const action = "slice", at = checkAxis(action, x, axis), size = x.shape[at], last = end ?? size;
  checkInteger(action, "start", start, -size, size);
  checkInteger(action, "end", last, -size, size);
  const from = start < 0 ? start + size : start, to = last < 0 ? last + size : last;
  if (to < from) {
    throw new RangeError(`Cannot ${action}: end must be at least start, ${from}, current end is ${to}`);
  }
  return compute(sliceOp, [x], [at, from, to])[0];
}

/** gx is gy in the slice and 0 elsewhere. */
export const sliceOp = defineOperation({
  name: "slice",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  constants: ["axis", "start", "end"],
  compute(device, [x], [axis, start, end]) {
    const y = device.store.make(x.shape.with(axis, end - start));
    const [outer, size, inner] = around(x.shape, axis), width = (end - start) * inner;
    device.call("copyRows", y.memory, 0, width, device.memory(x), start * inner, size * inner, outer, width);
    return [y];
  },
  gradient: ({ inputs: [x], constants: [axis, start], grads: [gy] }) =>
    run(padOp, [gy], [axis, start, x.shape[axis]]),
});

/** x from `start` on along an axis of `total` elements, the others 0. */
const padOp = defineOperation({
  name: "pad",
  action: "differentiate slice",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  constants: ["axis", "start", "total"],
  compute(device, [x], [axis, start, total]) {
    const y = device.store.make(x.shape.with(axis, total)), from = device.memory(x);
    const [outer, size, inner] = around(x.shape, axis), width = size * inner;
    // The sum of no numbers is 0.
    if (size < total) device.call("sum", y.memory, from, 1, 0, outer * total * inner, 1);
    device.call("copyRows", y.memory, start * inner, total * inner, from, 0, width, outer, width);
    return [y];
  },
  gradient: "none",
});

/**
 * The elements of an axis in reverse order (NumPy's `flip`).
 *
 * @param x any shape of at least one axis
 * @param axis negative ones count from the end
 * @returns y, of x's shape
 * @throws {TypeError} if x is not a tensor of at least one axis
 * @throws {RangeError} if x has no such axis
 *
 * @example
 * ```ts
 * import { read, reverse, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(reverse(tensor([1, 2, 3], [3]), 0))); // Float32Array(3) [ 3, 2, 1 ]
 * ```
 */
export function reverse(x: Tensor, axis: number): Tensor {
  return compute(reverseOp, [x], [checkAxis("reverse", x, axis)])[0];
}

/** gx = gy in reverse order. */
export const reverseOp = defineOperation({
  name: "reverse",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  constants: ["axis"],
  compute(device, [x], [axis]) {
    const y = device.store.make(x.shape), [outer, size, inner] = around(x.shape, axis);
    copyView(device, y, device.memory(x), size > 0 ? (size - 1) * inner : 0, [
      { size: outer, stride: size * inner },
      { size, stride: -inner },
      { size: inner, stride: 1 },
    ]);
    return [y];
  },
  gradient: ({ constants: [axis], grads: [gy] }) => [reverse(gy, axis)],
});

/**
 * Joins tensors along an axis.
 *
 * @param xs at least one tensor; all shapes are equal except along the axis
 * @param axis negative ones count from the end
 * @returns y, with the tensors one after another along the axis
 * @throws {TypeError} if there is no tensor, or the shapes or backends differ
 * @throws {RangeError} if they have no such axis
 *
 * @example
 * ```ts
 * import { concat, read, tensor } from "@seqmix/seqmix";
 *
 * const y = concat([tensor([1, 2], [2, 1]), tensor([3, 4, 5, 6], [2, 2])], 1);
 * console.log(y.shape, await read(y)); // [ 2, 3 ] Float32Array(6) [ 1, 3, 4, 2, 5, 6 ]
 * ```
 */
export function concat(xs: readonly Tensor[], axis: number): Tensor {
  const action = "concatenate", backend = backendOfList(action, "xs", xs), [first] = xs;
  const at = checkAxis(action, first, axis, "xs[0]"), { shape } = first;
  xs.forEach((x, i) => {
    const fits = x.shape.length === shape.length &&
      shape.every((size, axis) => axis === at || x.shape[axis] === size);
    if (!fits) throw shapeError(action, `xs[${i}]`, x, shape.map((size, axis) => axis === at ? "N" : size));
  });
  return engineOf(backend).run(concatOp, xs, [at])[0];
}

/** Each input's gradient is its part of gy. */
export const concatOp = defineOperation({
  name: "concat",
  action: "concatenate",
  inputs: ["...xs: ..."],
  outputs: ["y: ..."],
  constants: ["axis"],
  compute(device, xs, [axis]) {
    const total = xs.reduce((sum, { shape }) => sumOf(sum, shape[axis]), 0);
    const y = device.store.make(xs[0].shape.with(axis, total));
    let start = 0;
    for (const x of xs) {
      const [outer, size, inner] = around(x.shape, axis), width = size * inner;
      const from = device.memory(x);
      device.call("copyRows", y.memory, start, total * inner, from, 0, width, outer, width);
      start += width;
    }
    return [y];
  },
  gradient: ({ inputs: xs, constants: [axis], grads: [gy] }) => {
    let start = 0;
    return xs.map(({ shape }) => run(sliceOp, [gy], [axis, start, start += shape[axis]])[0]);
  },
});
