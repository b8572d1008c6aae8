/**
 * A tree's numbers as one array, for the way between workers.
 *
 * @module
 */
import { hostArray, sharedHostArray } from "../allocate.ts";
import { engineOf } from "../engine.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { forEachTensor, mapTensors, sizeOf } from "../tree.ts";

/** Arrays of one kind of numbers: `Float32Array` or `Float64Array`. */
export interface Kind {
  readonly BYTES_PER_ELEMENT: number;
  new (room: number): Floats;
  new (room: SharedArrayBuffer): Floats;
}

/** The kind of arrays that hold a tensor's numbers as they are. */
export async function kindOf(t: Tensor): Promise<Kind> {
  const numbers = await engineOf(t.backend).download(t);
  return numbers.constructor as Kind;
}

/** Room for so many numbers. */
export function ownNumbers(Numbers: Kind, count: number): Floats {
  return hostArray<Floats>("fit", Numbers, count);
}

/** Room for so many numbers that all workers see; undefined where the runtime shares no memory. */
export function sharedNumbers(Numbers: Kind, count: number): Floats | undefined {
  // A page has the constructor only if it is isolated from other origins.
  if (typeof SharedArrayBuffer === "undefined") return undefined;
  return sharedHostArray<Floats>("fit", Numbers, count);
}

/** All numbers of a tree's tensors, each once, in the tree's order; `flat` is room for them. */
export async function toFlat(tree: unknown, flat: Floats): Promise<Floats> {
  const coming: Promise<void>[] = [];
  let at = 0;
  // A promise for each would be more garbage than all else that is done here.
  forEachTensor(tree, (t) => {
    const room = flat.subarray(at, at += sizeOf(t.shape));
    const place = (numbers: Floats) => {
      if (numbers !== room) room.set(numbers);
    };
    const numbers = engineOf(t.backend).download(t, room);
    if (numbers instanceof Promise) coming.push(numbers.then(place));
    else place(numbers);
  });
  await Promise.all(coming);
  return flat;
}

/** A tree of the form of another with these numbers, on a backend. */
export function fromFlat<P>(form: P, flat: Floats, backend: Backend): P {
  let at = 0;
  return mapTensors(
    form,
    ({ shape }) => engineOf(backend).upload(flat.subarray(at, at += sizeOf(shape)), shape),
  );
}
