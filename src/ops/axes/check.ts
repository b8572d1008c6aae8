/**
 * Checks of tensors of any rank and of their axes.
 *
 * @module
 */
import { checkInteger, isTensor, shapeError, sharedBackend, show, wider } from "../../check.ts";
import type { Backend, Tensor } from "../../tensor.ts";

/** Checks that `x` is a tensor, of any shape. */
export function checkTensor(action: string, name: string, x: Tensor): void {
  if (!isTensor(x)) throw shapeError(action, name, x, ["..."]);
}

/** Checks an axis of a tensor, which counts from the end if it is negative; returns it counted from the start. */
export function checkAxis(action: string, x: Tensor, axis: number, name = "x"): number {
  checkTensor(action, name, x);
  const rank = x.shape.length;
  if (rank === 0) throw shapeError(action, name, x, ["...", "N"]);
  checkInteger(action, "axis", axis, -rank, rank - 1);
  return axis < 0 ? rank + axis : axis;
}

/** The sizes before an axis, at it and after it: a tensor as one of three axes. */
export function around(shape: readonly number[], axis: number): [outer: number, size: number, inner: number] {
  return [product(shape.slice(0, axis)), shape[axis], product(shape.slice(axis + 1))];
}

/** The product of sizes. */
export function product(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1);
}

/** The backend on which an operation over a list of tensors runs. */
export function backendOfList(action: string, name: string, xs: readonly Tensor[]): Backend {
  if (!Array.isArray(xs) || xs.length === 0) {
    throw new TypeError(
      `Cannot ${action}: ${name} must be at least one tensor, current value is ${show(xs)}`,
    );
  }
  xs.forEach((x, i) => checkTensor(action, `${name}[${i}]`, x));
  return xs.reduce(
    (backend, x, i) => wider(backend, sharedBackend(action, `${name}[0], ${name}[${i}]`, xs[0], x)),
    xs[0].backend,
  );
}
