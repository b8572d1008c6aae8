/**
 * Checks of arguments, one place for all public functions. Success costs a few comparisons; a message is built
 * only on failure, always in the form "Cannot <action>: <requirement>, current <thing> is <value>".
 *
 * @module
 */
import type { Backend, Tensor } from "./tensor.ts";

/** `[2, 7, 64]` */
export function showShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(", ")}]`;
}

/** A short form of any value for a message. */
export function show(value: unknown): string {
  if (isTensor(value)) return `a tensor of shape ${showShape(value.shape)}`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) {
    return `an object (${value.constructor?.name ?? "no class"})`;
  }
  if (typeof value === "function") return "a function";
  return String(value);
}

/** Whether a value is a tensor of any backend. */
export function isTensor(value: unknown): value is Tensor {
  // Plain property reads: this runs several times in every operation, and `in` would be the slowest part of them.
  if (typeof value !== "object" || value === null) return false;
  const { shape, backend } = value as Partial<Tensor>;
  return Array.isArray(shape) && typeof backend === "object";
}

/** Whether a value is a branch of a tree: an array or an object without a class of its own. */
export function isBranch(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Checks that `x` is a tensor of the expected shape. A name in `expected` stands for any size, and a leading
 * `"..."` for any number of leading axes.
 */
export function checkShape(
  action: string,
  name: string,
  x: Tensor,
  expected: readonly (number | string)[],
): void {
  // Not by isTensor: read here, where only tensors come by, the two properties cost next to nothing.
  if (!Array.isArray(x?.shape) || typeof x.backend !== "object") {
    throw new TypeError(
      `Cannot ${action}: ${name} must be a tensor ${showShape(expected)}, current value is ${show(x)}`,
    );
  }
  const { shape } = x;
  if (shape === expected) return;
  const start = expected[0] === "..." ? 1 : 0;
  const skip = shape.length - expected.length;
  let fits = start === 1 ? skip >= -1 : skip === 0;
  for (let i = start; fits && i < expected.length; i++) {
    const size = expected[i];
    fits = size === shape[skip + i] || typeof size === "string";
  }
  if (!fits) {
    throw new TypeError(
      `Cannot ${action}: ${name} must be ${showShape(expected)}, current shape is ${showShape(shape)}`,
    );
  }
}

/**
 * The backend on which an operation over these tensors runs: the one that they share.
 *
 * @param names the tensors' names in order, `"x, weight, bias"`
 */
export function sharedBackend(
  action: string,
  names: string,
  ...tensors: readonly (Tensor | null)[]
): Backend {
  const backend = tensors[0]!.backend;
  for (let i = 1; i < tensors.length; i++) {
    const other = tensors[i];
    if (other !== null && other.backend !== backend) {
      const list = names.split(", ");
      const another = other.backend.name === backend.name ? `another ${backend.name}` : other.backend.name;
      throw new TypeError(
        `Cannot ${action}: all tensors must live on one backend (move them with put), current ${
          list[0]
        } lives on ` +
          `${backend.name} and ${list[i]} on ${another}`,
      );
    }
  }
  return backend;
}

/** Checks that a value is a backend; the promise of one, where an `await` was forgotten, is not. */
export function checkBackend(action: string, backend: Backend): void {
  if (typeof backend?.upload !== "function") {
    throw new TypeError(
      `Cannot ${action}: backend must be a backend (await the promise of one), current value is ${
        show(backend)
      }`,
    );
  }
}

/** Checks that a value is an integer from `least` to `most`. */
export function checkInteger(
  action: string,
  name: string,
  value: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${action}: ${name} must be a number, current value is ${show(value)}`);
  }
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `from ${least} to ${most}`;
    throw new RangeError(`Cannot ${action}: ${name} must be an integer ${range}, current value is ${value}`);
  }
}
