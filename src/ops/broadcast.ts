/**
 * NumPy's broadcasting: tensors of different shapes repeated to a common one.
 *
 * @module
 */
import { isSameShape, isTensor, sharedBackend, showShape } from "../check.ts";
import { compute, run } from "../compute.ts";
import type { Declaration, Operation } from "../operation.ts";
import type { Tensor } from "../tensor.ts";
import { shapeOf } from "../tracked_shape.ts";
import { expand } from "./reduce/mod.ts";

type Binary = Operation<Declaration<string, readonly ["a: ...", "b: ..."], readonly ["y: ..."]>>;

/** Runs an operation on two tensors of the same shape, or of shapes that broadcast. */
export function computeBroadcast(operation: Binary, a: Tensor, b: Tensor): Tensor {
  if (!isTensor(a) || !isTensor(b)) return compute(operation, [a, b])[0];
  if (isSameShape(shapeOf(a), shapeOf(b))) {
    // This is all that `compute` checks, and what most calls need.
    return (a.backend === b.backend ? run : compute)(operation, [a, b])[0];
  }
  const { action } = operation, backend = sharedBackend(action, "a, b", a, b);
  const shape = broadcastShape(a.shape, b.shape);
  if (shape === null) {
    throw new TypeError(
      `Cannot ${action}: the sizes of a and b must be equal or 1, from the last on, current shapes are ${
        showShape(a.shape)
      } and ${showShape(b.shape)}`,
    );
  }
  return backend.scope(() => compute(operation, [expanded(a, shape), expanded(b, shape)])[0]);
}

/** A tensor repeated to a shape, or itself if it has the shape. */
export function expanded(x: Tensor, shape: readonly number[]): Tensor {
  return isSameShape(x.shape, shape) ? x : expand(x, shape);
}

/** The shape that two shapes are broadcast to; null if there is none. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] | null {
  const rank = Math.max(a.length, b.length), shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const own = a[axis - rank + a.length] ?? 1, other = b[axis - rank + b.length] ?? 1;
    if (own !== other && own !== 1 && other !== 1) return null;
    shape[axis] = own === 1 ? other : own;
  }
  return shape;
}
