/**
 * The lengths of the key-value caches that a compiled function is given. One recording serves all lengths as long as the function
 * itself, and not just the operations on the cache, looks at none: what it made of one would be lost on the others.
 *
 * @module
 */
import type { Tensor } from "./tensor.ts";

/** What a tracked shape is, and whom it tells that its length was read. */
interface Tracked {
  readonly shape: readonly number[];
  readonly onRead: () => void;
}

const tracked = new WeakMap<readonly number[], Tracked>();
/** How many functions are being recorded; else no shape is tracked. */
let recording = 0;

/** The shape of a tensor, for an operation whose kernels are told a cache's length anew at every run. */
export function shapeOf(t: Pick<Tensor, "shape">): readonly number[] {
  return recording === 0 ? t.shape : tracked.get(t.shape)?.shape ?? t.shape;
}

/** A shape `[B, T, C]`, or `[B, T]`, that tells when T is read. */
export function trackedShape(shape: readonly number[], onRead: () => void): readonly number[] {
  const result = [...shape];
  Object.defineProperty(result, 1, {
    get() {
      onRead();
      return shape[1];
    },
  });
  tracked.set(result, { shape: [...shape], onRead });
  return result;
}

/** The shape of a cache of more steps than `past` has, tracked if that of `past` is. */
export function longerShape({ shape }: Tensor, time: number): readonly number[] {
  const longer = shape.length === 2 ? [shape[0], time] : [shape[0], time, shape[2]];
  const before = recording === 0 ? undefined : tracked.get(shape);
  return before === undefined ? longer : trackedShape(longer, before.onRead);
}

/** Runs `body`, in which shapes may be tracked. */
export function whileTracking<R>(body: () => R): R {
  recording++;
  try {
    return body();
  } finally {
    recording--;
  }
}

/** Makes the shape of a tensor that outlives a recording an ordinary one. */
export function untrack(t: { shape: readonly number[] }): void {
  t.shape = tracked.get(t.shape)?.shape ?? t.shape;
}
