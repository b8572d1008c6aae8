/**
 * The lengths of the key-value caches that a compiled function is given. One recording serves all lengths as long as the function
 * itself, and not just the operations on the cache, looks at none: what it made of one would be lost on the others.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";

/** The shapes that notice who looks at their length: what they are, and what they do then. */
const plain = new WeakMap<readonly number[], readonly number[]>();
const looks = new WeakMap<readonly number[], () => void>();
/** How many functions are being recorded; else no shape needs a look. */
let recording = 0;

/** The shape of a tensor, for an operation whose kernels are told a cache's length anew at every run. */
export function shapeOf(t: Pick<Tensor, "shape">): readonly number[] {
  return recording === 0 ? t.shape : plain.get(t.shape) ?? t.shape;
}

/** A shape `[B, T, C]` that tells whoever looks at T. */
export function noticing(shape: readonly number[], look: () => void): readonly number[] {
  const noticed = [...shape];
  Object.defineProperty(noticed, 1, {
    get() {
      look();
      return shape[1];
    },
  });
  plain.set(noticed, [...shape]);
  looks.set(noticed, look);
  return noticed;
}

/** The shape of a cache of more steps than `past` has, which notices if that of `past` does. */
export function longerShape(past: Tensor, time: number): readonly number[] {
  const { shape } = past;
  if (recording === 0 || !looks.has(shape)) return [shape[0], time, shape[2]];
  return noticing([shape[0], time, shape[2]], looks.get(shape)!);
}

/** Runs `body`, in which shapes may notice. */
export function whileNoticing<R>(body: () => R): R {
  recording++;
  try {
    return body();
  } finally {
    recording--;
  }
}

/** Makes the shape of a tensor that outlives a recording an ordinary one. */
export function settle(t: { shape: readonly number[] }): void {
  t.shape = plain.get(t.shape) ?? t.shape;
}
