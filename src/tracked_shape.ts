/**
 * Tracks whether a compiled function reads the lengths of its key-value caches. One recording serves all lengths
 * unless the function itself, rather than the operations on the cache, reads one: what it computes from a length
 * would be wrong for others.
 *
 * @module
 */
import type { Tensor } from "./tensor.ts";

/** A tracked shape, and the function to call when its length is read. */
interface Tracked {
  readonly shape: readonly number[];
  readonly onRead: () => void;
}

const tracked = new WeakMap<readonly number[], Tracked>();
/** The number of functions being recorded; if 0, no shape is tracked. */
let recording = 0;

/** The shape of a tensor, for operations that pass a cache's current length to their kernels at every run. */
export function shapeOf(t: Pick<Tensor, "shape">): readonly number[] {
  return recording === 0 ? t.shape : tracked.get(t.shape)?.shape ?? t.shape;
}

/** Creates a shape `[B, T, C]`, or `[B, T]`, that reports when T is read. */
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

/** The shape of a cache with more steps than `past`; tracked if that of `past` is. */
export function longerShape({ shape }: Tensor, time: number): readonly number[] {
  const longer = shape.length === 2 ? [shape[0], time] : [shape[0], time, shape[2]];
  const before = recording === 0 ? undefined : tracked.get(shape);
  return before === undefined ? longer : trackedShape(longer, before.onRead);
}

/** Runs `body`, during which shapes may be tracked. */
export function whileTracking<R>(body: () => R): R {
  recording++;
  try {
    return body();
  } finally {
    recording--;
  }
}

/** Replaces the tracked shape of a tensor that outlives a recording. */
export function untrack(t: { shape: readonly number[] }): void {
  t.shape = tracked.get(t.shape)?.shape ?? t.shape;
}
