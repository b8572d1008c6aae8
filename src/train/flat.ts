/**
 * A tree's numbers as one array, for the way between workers.
 *
 * @module
 */
import type { Backend } from "../tensor.ts";
import { parameterCount, sizeOf, tensorsOf, treeMap } from "../tree.ts";

/** All numbers of a tree's tensors, in the tree's order. */
export async function toFlat(tree: unknown): Promise<Float32Array<ArrayBuffer>> {
  const flat = new Float32Array(parameterCount(tree));
  const parts = await Promise.all(tensorsOf(tree).map((t) => t.backend.download(t)));
  let at = 0;
  for (const part of parts) {
    flat.set(part, at);
    at += part.length;
  }
  return flat;
}

/** A tree of the form of another with these numbers, on a backend. */
export function fromFlat<P>(form: P, flat: Float32Array, backend: Backend): P {
  let at = 0;
  return treeMap(form, ({ shape }) => backend.upload(flat.subarray(at, at += sizeOf(shape)), shape));
}
