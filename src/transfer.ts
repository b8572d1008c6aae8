/**
 * Moves numbers into and out of tensors, and tensors between backends.
 *
 * @module
 */
import { hostArray } from "./allocate.ts";
import { reference } from "./backends/reference/mod.ts";
import { checkBackend, checkInteger, isTensor, show, showShape } from "./check.ts";
import { engineOf } from "./engine.ts";
import { eventLoop } from "./event_loop.ts";
import { given } from "./mistaken.ts";
import type { Backend, Floats, Tensor } from "./tensor.ts";
import { sizeOf, tensorsOf, treeMap } from "./tree.ts";

/**
 * A tensor with a copy of these numbers.
 *
 * @param data the numbers, row-major
 * @param shape the sizes, outermost first; `[]` is a single number
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if data does not hold as many numbers as the shape, or backend is not a backend
 * @throws {RangeError} if a size is not an integer of at least 0, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { tensor } from "@seqmix/seqmix";
 *
 * console.log(tensor([1, 2, 3, 4, 5, 6], [2, 3]).shape); // [ 2, 3 ]
 * ```
 */
export function tensor(
  data: ArrayLike<number>,
  shape: readonly number[],
  backend: Backend = reference,
): Tensor {
  const action = "create tensor";
  checkSizes(action, shape);
  const size = sizeOf(shape);
  if (typeof data === "string" || data?.length !== size) {
    throw new TypeError(
      `Cannot ${action}: data must hold ${size} numbers for shape ${showShape(shape)}, current ${
        typeof data?.length === "number" ? `length is ${data.length}` : `value is ${show(data)}`
      }`,
    );
  }
  for (let i = 0; i < size; i++) {
    if (typeof data[i] !== "number") {
      throw new TypeError(`Cannot ${action}: data must be numbers, current data[${i}] is ${show(data[i])}`);
    }
  }
  checkBackend(action, backend);
  return engineOf(backend).upload(data, shape);
}

/** Checks that a shape is a list of sizes. */
export function checkSizes(action: string, shape: readonly number[]): void {
  if (!Array.isArray(shape)) {
    throw new TypeError(`Cannot ${action}: shape must be a list of sizes, current value is ${show(shape)}`);
  }
  shape.forEach((size, axis) => checkInteger(action, `shape[${axis}]`, size, 0));
}

/**
 * A tensor of zeros.
 *
 * @param shape the sizes, outermost first; `[]` is a single number
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if shape is not a list of numbers, or backend is not a backend
 * @throws {RangeError} if a size is not an integer of at least 0, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { read, zeros } from "@seqmix/seqmix";
 *
 * console.log(await read(zeros([2]))); // Float32Array(2) [ 0, 0 ]
 * ```
 */
export function zeros(shape: readonly number[], backend: Backend = reference): Tensor {
  checkSizes("make zeros", shape);
  checkBackend("make zeros", backend);
  const data = hostArray("allocate tensor", Float32Array, sizeOf(shape), backend.memory().bytes);
  return engineOf(backend).upload(data, shape);
}

/**
 * The time in ms after a turn of the event loop until the next is prepared, since the caller's loop may end with any
 * read.
 */
const pause = 10;

/**
 * A copy of a tensor's numbers in single precision. In a loop that awaits nothing else, it lets the event loop turn
 * now and then, so that timers fire, pages paint and unreachable results are freed.
 *
 * @param t any tensor
 * @returns its numbers, row-major
 * @throws {TypeError} if t is not a tensor, or was freed
 *
 * @example
 * ```ts
 * import { read, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(tensor([1, 2], [2]))); // Float32Array(2) [ 1, 2 ]
 * ```
 */
export async function read(t: Tensor): Promise<Float32Array> {
  const copied = copyOf(t);
  // An await costs more than a small kernel.
  const numbers = copied instanceof Promise ? await copied : copied;
  return numbers instanceof Float32Array ? numbers : new Float32Array(numbers);
}

/**
 * A copy of a tensor's numbers in double precision; exact on a float64 reference.
 *
 * @param t any tensor
 * @returns its numbers, row-major
 * @throws {TypeError} if t is not a tensor, or was freed
 *
 * @example
 * ```ts
 * import { createReference, readFloat64, tensor } from "@seqmix/seqmix";
 *
 * using backend = createReference({ precision: "float64" });
 * console.log(await readFloat64(tensor([0.1], [1], backend))); // Float64Array(1) [ 0.1 ]
 * ```
 */
export async function readFloat64(t: Tensor): Promise<Float64Array> {
  const numbers = await copyOf(t);
  return numbers instanceof Float64Array ? numbers : new Float64Array(numbers);
}

/**
 * Copies a tree of tensors to a backend. The given tree is not changed; tensors that already live on the backend are
 * not copied.
 *
 * @param tree nested plain objects and arrays, or a tensor
 * @param backend the destination
 * @returns a tree of the same form, its tensors on `backend`
 * @throws {TypeError} if a tensor to be copied was freed, or tree is a promise, or backend is not a backend
 * @throws {RangeError} if memory is exhausted; the backend then holds what it held before
 *
 * @example
 * ```ts
 * import { createReference, presets, put, rwkv } from "@seqmix/seqmix";
 *
 * using backend = createReference();
 * const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 * console.log(backend.memory().bytes); // 206848
 * ```
 */
export async function put<P>(tree: P, backend: Backend): Promise<P> {
  checkBackend("put", backend);
  if (show(tree) === "a promise") {
    throw new TypeError(`Cannot put: tree must be there${given("a promise", "await it")}`);
  }
  const turn = eventLoop.due(pause);
  if (turn !== undefined) await turn;
  const away = tensorsOf(tree).filter((t) => t.backend !== backend);
  const numbers = new Map(
    await Promise.all(away.map(async (t) => [t, await engineOf(t.backend).download(t)] as const)),
  );
  // In a scope, so that nothing stays allocated if there is no memory for the whole tree.
  return backend.scope(() =>
    treeMap(tree, (t) => {
      const values = numbers.get(t);
      return values === undefined ? t : engineOf(backend).upload(values, t.shape);
    })
  );
}

function copyOf(t: Tensor): Floats | Promise<Floats> {
  if (!isTensor(t)) {
    throw new TypeError(`Cannot read: value must be a tensor, current value is ${show(t)}`);
  }
  const copied = engineOf(t.backend).download(t);
  if (copied instanceof Promise) return copied;
  const due = eventLoop.due(pause);
  return due === undefined ? copied : due.then(() => copied);
}

/**
 * A promise that resolves when a device has completed all submitted work, and rejects as a read would; undefined if
 * the device is synchronous.
 */
export function allDone(backend: Backend): Promise<void> | undefined {
  const mark = engineOf(backend).upload([0], [1]);
  const read = engineOf(backend).download(mark);
  backend.free(mark);
  if (!(read instanceof Promise)) return undefined;
  const done = read.then(() => {});
  // Whoever awaits it gets the error; without this, it would also be an unhandled rejection.
  done.catch(() => {});
  return done;
}
