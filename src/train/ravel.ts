/**
 * The numbers of a tree's tensors as one array, to pass them between workers.
 *
 * @module
 */
import { hostArray, sharedHostArray } from "../allocate.ts";
import { engineOf } from "../engine.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { forEachTensor, mapTensors, sizeOf } from "../tree.ts";

/** `Float32Array` or `Float64Array`. */
export interface FloatsConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (size: number): Floats;
  new (buffer: SharedArrayBuffer): Floats;
}

/** The constructor of arrays in the precision of a tensor. */
export async function floatsConstructorOf(t: Tensor): Promise<FloatsConstructor> {
  const numbers = await engineOf(t.backend).download(t);
  return numbers.constructor as FloatsConstructor;
}

/** An array of zeros. */
export function ownNumbers(Numbers: FloatsConstructor, count: number): Floats {
  return hostArray<Floats>("fit", Numbers, count);
}

/** An array of zeros in memory that all workers share; undefined if the runtime shares no memory. */
export function sharedNumbers(Numbers: FloatsConstructor, count: number): Floats | undefined {
  // A page has the constructor only if it is isolated from other origins.
  if (typeof SharedArrayBuffer === "undefined") return undefined;
  return sharedHostArray<Floats>("fit", Numbers, count);
}

/** Copies the numbers of a tree's tensors to `out`, each tensor once, in the tree's order. Returns `out`. */
export async function ravel(tree: unknown, out: Floats): Promise<Floats> {
  const pending: Promise<void>[] = [];
  let at = 0;
  // Promises only where a device needs them: one for each tensor would be most of the garbage of this function.
  forEachTensor(tree, (t) => {
    const part = out.subarray(at, at += sizeOf(t.shape));
    const store = (numbers: Floats) => {
      if (numbers !== part) part.set(numbers);
    };
    const numbers = engineOf(t.backend).download(t, part);
    if (numbers instanceof Promise) pending.push(numbers.then(store));
    else store(numbers);
  });
  await Promise.all(pending);
  return out;
}

/** A tree of the form of another on a backend, with the numbers of a raveled tree. */
export function unravel<P>(form: P, raveled: Floats, backend: Backend): P {
  let at = 0;
  return mapTensors(
    form,
    ({ shape }) => engineOf(backend).upload(raveled.subarray(at, at += sizeOf(shape)), shape),
  );
}

/** sum += factor·x */
export function addTo(sum: Floats, x: Floats, factor = 1): void {
  for (let i = 0; i < sum.length; i++) sum[i] += factor * x[i];
}
