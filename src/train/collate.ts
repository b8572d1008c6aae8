/**
 * Batches of examples as tensors.
 *
 * @module
 */
import { isBranch, isTensor, show } from "../check.ts";
import { engineOf } from "../engine.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { hostArray } from "../allocate.ts";
import { sizeOf } from "../tree.ts";

/** A number, a list of numbers, a list of such lists of one length, and so on: the numbers of one tensor. */
export type TensorNumbers = number | ArrayLike<number> | readonly TensorNumbers[];

/** A tree with a tensor in place of each number and list of numbers. Other values are unchanged. */
export type Tensors<T> = 0 extends 1 & T ? T // any
  : T extends TensorNumbers ? Tensor
  : T extends object ? { readonly [K in keyof T]: Tensors<T[K]> }
  : T;

const action = "fit";

/** The numbers and the shape of a tensor that will be uploaded. */
type Flat = readonly [numbers: Floats, shape: readonly number[]];

/**
 * A batch of examples as one tree: numbers or lists as a list of them, objects field by field. The default of the
 * option `collate` of `fit`.
 */
export function stack(examples: readonly unknown[]): unknown {
  return stackNamed(examples, "an example");
}

function stackNamed(examples: readonly unknown[], name: string): unknown {
  const [first] = examples;
  if (typeof first === "number" || Array.isArray(first) || isTypedArray(first)) return examples;
  if (!isBranch(first) || isTensor(first)) {
    throw new TypeError(
      `Cannot ${action}: ${name} must be a number, a list of numbers or an object of these (collate can make one), ` +
        `current value is ${show(first)}`,
    );
  }
  const keys = Object.keys(first);
  for (const other of examples) {
    if (isBranch(other) && Object.keys(other).length === keys.length && keys.every((key) => key in other)) {
      continue;
    }
    throw new TypeError(
      `Cannot ${action}: ${name} must have the names ${keys.join(", ")} in every example, current ones are ${
        isBranch(other) ? Object.keys(other).join(", ") : show(other)
      }`,
    );
  }
  return Object.fromEntries(
    keys.map((key) => [
      key,
      stackNamed(examples.map((example) => (example as Record<string, unknown>)[key]), `${key} of ${name}`),
    ]),
  );
}

/** A batch with the numbers of each tensor as one array, to send it to a worker or to upload it. */
export function flatten(batch: unknown, name = "batch"): unknown {
  if (typeof batch === "number" || Array.isArray(batch) || isTypedArray(batch)) {
    return flat(batch as TensorNumbers, name);
  }
  if (isBranch(batch) && !isTensor(batch)) {
    return Object.fromEntries(
      Object.entries(batch).map(([key, part]) => [key, flatten(part, `${name}.${key}`)]),
    );
  }
  if (batch === null || ["string", "boolean", "undefined"].includes(typeof batch)) return batch;
  throw new TypeError(
    `Cannot ${action}: ${name} must be a number, a list of numbers or an object of these, current value is ${
      show(batch)
    }`,
  );
}

/** A flattened batch as tensors. */
export function upload(batch: unknown, backend: Backend): unknown {
  // The only arrays in it are the numbers of tensors.
  if (Array.isArray(batch)) return engineOf(backend).upload(...batch as unknown as Flat);
  if (!isBranch(batch)) return batch;
  return Object.fromEntries(Object.entries(batch).map(([key, part]) => [key, upload(part, backend)]));
}

function flat(numbers: TensorNumbers, name: string): Flat {
  const shape: number[] = [];
  let inner: unknown = numbers, isSingle = true;
  for (; typeof inner === "object" && inner !== null; inner = (inner as ArrayLike<unknown>)[0]) {
    shape.push((inner as ArrayLike<unknown>).length);
    isSingle = inner instanceof Float32Array;
    if (isTypedArray(inner)) break;
  }
  const all = hostArray<Floats>(action, isSingle ? Float32Array : Float64Array, sizeOf(shape));
  let at = 0;
  const fill = (part: unknown, axis: number) => {
    if (axis === shape.length) {
      if (typeof part === "number") all[at++] = part;
      else throw notNumbers(name, part);
      return;
    }
    if (!Array.isArray(part) && !isTypedArray(part)) throw notNumbers(name, part);
    const list = part as ArrayLike<unknown>;
    if (list.length !== shape[axis]) {
      throw new TypeError(
        `Cannot ${action}: lists of ${name} must have one length (collate can pad them), current lengths are ${
          shape[axis]
        } and ${list.length}`,
      );
    }
    if (isTypedArray(part) && axis === shape.length - 1) {
      all.set(part, at);
      at += part.length;
    } else for (let i = 0; i < list.length; i++) fill(list[i], axis + 1);
  };
  fill(numbers, 0);
  return [all, shape];
}

function notNumbers(name: string, value: unknown): TypeError {
  return new TypeError(
    `Cannot ${action}: ${name} must be numbers in lists of equal depth, current value in it is ${
      show(value)
    }`,
  );
}

function isTypedArray(value: unknown): value is Float64Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) &&
    !(value instanceof BigInt64Array || value instanceof BigUint64Array);
}
