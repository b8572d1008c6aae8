/**
 * Sums and means over axes, and their gradient, which repeats numbers along axes.
 *
 * @module
 */
import { compute, run } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { sizeOf } from "../../tree.ts";
import { around, checkAxis, checkTensor, product } from "../axes/check.ts";
import { copyView, stridesOf } from "../axes/copy.ts";
import { reshapeOp } from "../axes/mod.ts";

/**
 * The sum over an axis, or of all elements: `y = Σ x`. The sum over no elements is 0.
 *
 * @param x any shape
 * @param axis the axis to sum over; negative ones count from the end. Default: all axes
 * @returns y, x's shape without that axis; over all axes, a single number `[]`
 * @throws {TypeError} if x is not a tensor, or has no axes and one is given
 * @throws {RangeError} if x has no such axis
 *
 * @example
 * ```ts
 * import { read, sum, tensor } from "@seqmix/seqmix";
 *
 * const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
 * console.log(await read(sum(x, 1)), await read(sum(x))); // Float32Array [ 6, 15 ] Float32Array [ 21 ]
 * ```
 */
export function sum(x: Tensor, axis?: number): Tensor {
  return reduce("sum", x, axis, () => 1);
}

/**
 * The mean over an axis, or of all elements: `y = Σ x / N`.
 *
 * @param x any shape, with at least one element along each axis that is averaged
 * @param axis the axis to average over; negative ones count from the end. Default: all axes
 * @returns y, x's shape without that axis; over all axes, a single number `[]`
 * @throws {TypeError} if x is not a tensor, or has no axes and one is given
 * @throws {RangeError} if x has no such axis, or it is of no elements
 *
 * @example
 * ```ts
 * import { mean, read, tensor } from "@seqmix/seqmix";
 *
 * const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
 * console.log(await read(mean(x, 0)), await read(mean(x))); // Float32Array [ 2.5, 3.5, 4.5 ] Float32Array [ 3.5 ]
 * ```
 */
export function mean(x: Tensor, axis?: number): Tensor {
  const action = "take mean";
  return reduce(action, x, axis, (size) => {
    if (size > 0) return size;
    const of = axis === undefined ? "x" : `axis ${axis} of x`;
    throw new RangeError(`Cannot ${action}: ${of} must have at least one element, current size is 0`);
  });
}

/** The sums over an axis, divided by a function of its size. */
function reduce(
  action: string,
  x: Tensor,
  axis: number | undefined,
  divisorOf: (size: number) => number,
): Tensor {
  checkTensor(action, "x", x);
  const { shape } = x;
  if (axis === undefined) {
    const size = sizeOf(shape);
    return compute(sumOp, [x], [1, size, 1, divisorOf(size)])[0];
  }
  const at = checkAxis(action, x, axis);
  return compute(sumOp, [x], [...around(shape, at), divisorOf(shape[at]), ...shape.toSpliced(at, 1)])[0];
}

/**
 * With x as `[outer, size, inner]`: y = Σ x / divisor over `size`, of the shape of the further constants. gx = gy /
 * divisor for every element.
 */
export const sumOp = defineOperation({
  name: "sum",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  compute(device, [x], [outer, size, inner, divisor, ...shape]) {
    const y = device.store.make(shape);
    device.call("sum", y.memory, device.memory(x), outer, size, inner, divisor);
    return [y];
  },
  gradient: ({ inputs: [x], constants: [outer, size, inner, divisor], grads: [gy] }) => {
    const each = divisor === 1 ? gy : divided(gy, divisor);
    return run(expandOp, [each], [3, outer, 1, inner, outer, size, inner, ...x.shape]);
  },
});

/** x / divisor, as sums of a single number. */
function divided(x: Tensor, divisor: number): Tensor {
  return run(sumOp, [x], [1, 1, sizeOf(x.shape), divisor, ...x.shape])[0];
}

/**
 * Repeats a tensor along its axes of size 1, and along new leading axes, to a given shape.
 *
 * @param shape sizes; the last ones are those of x, except where x has 1
 */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const view = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
  return run(expandOp, [x], [shape.length, ...view, ...shape, ...shape])[0];
}

/**
 * The constants are the rank and sizes of a view of x, the sizes to which its axes of size 1 are repeated, and y's
 * shape, of as many elements. gx = Σ gy over the axes that were repeated.
 */
export const expandOp = defineOperation({
  name: "expand",
  action: "broadcast",
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  compute(device, [x], constants) {
    const { view, sizes, shape } = readExpansion(constants), strides = stridesOf(view);
    const y = device.store.make(shape);
    const axes = sizes.map((size, axis) => ({ size, stride: view[axis] === 1 ? 0 : strides[axis] }));
    copyView(device, y, device.memory(x), 0, axes);
    return [y];
  },
  gradient: ({ inputs: [x], constants, grads: [gy] }) => {
    const { view, sizes } = readExpansion(constants);
    return [sumTo(gy, sizes, view, x.shape)];
  },
});

function readExpansion([rank, ...numbers]: readonly number[]) {
  return {
    view: numbers.slice(0, rank),
    sizes: numbers.slice(rank, 2 * rank),
    shape: numbers.slice(2 * rank),
  };
}

/**
 * The sums of a tensor of these sizes over the axes in which `view` has 1: adjacent ones at once, from the last axis
 * to the first. The result has a shape of as many elements as `view`.
 */
export function sumTo(
  x: Tensor,
  sizes: readonly number[],
  view: readonly number[],
  shape: readonly number[],
): Tensor {
  let rest = [...sizes];
  const passes: number[][] = [];
  for (let end = view.length, start; end > 0; end = start) {
    const isSummed = view[end - 1] === 1;
    for (start = end - 1; start > 0 && (view[start - 1] === 1) === isSummed;) start--;
    const size = product(rest.slice(start, end));
    if (!isSummed || size === 1) continue;
    passes.push([product(rest.slice(0, start)), size, product(rest.slice(end))]);
    rest = rest.map((size, axis) => axis >= start && axis < end ? 1 : size);
  }
  if (passes.length === 0) return run(reshapeOp, [x], shape)[0];
  return passes.reduce((sum, [outer, size, inner], i) => {
    const after = i === passes.length - 1 ? shape : [outer, inner];
    return run(sumOp, [sum], [outer, size, inner, 1, ...after])[0];
  }, x);
}
