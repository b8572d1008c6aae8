/**
 * A tree's numbers as one array, for the way between workers.
 *
 * @module
 */
import type { Backend } from "../tensor.ts";
import { parameterCount, sizeOf, tensorsOf, treeMap } from "../tree.ts";

/** Room for so many numbers that all workers see; undefined where the runtime shares no memory. */
export function sharedNumbers(count: number): Float32Array | undefined {
  // A page has the constructor only if it is isolated from other origins.
  if (typeof SharedArrayBuffer === "undefined") return undefined;
  return new Float32Array(new SharedArrayBuffer(4 * count));
}

/** All numbers of a tree's tensors, in the tree's order; `flat` is room for them. */
export async function toFlat(
  tree: unknown,
  flat: Float32Array = new Float32Array(parameterCount(tree)),
): Promise<Float32Array> {
  let at = 0;
  await Promise.all(
    tensorsOf(tree).map(async (t) => {
      const room = flat.subarray(at, at += sizeOf(t.shape));
      const numbers = await t.backend.download(t, room);
      if (numbers !== room) room.set(numbers);
    }),
  );
  return flat;
}

/** A tree of the form of another with these numbers, on a backend. */
export function fromFlat<P>(form: P, flat: Float32Array, backend: Backend): P {
  let at = 0;
  return treeMap(form, ({ shape }) => backend.upload(flat.subarray(at, at += sizeOf(shape)), shape));
}
