/**
 * Checks of arguments, in one place for all public functions. A successful check costs a few comparisons; messages
 * are built only on failure, always in the form "Cannot <action>: <requirement>, current <thing> is <value>".
 *
 * @module
 */
import { shapeOf } from "./tracked_shape.ts";
import { engineOf } from "./engine.ts";
import type { Backend, Tensor } from "./tensor.ts";

/** Formats a shape: `[2, 7, 64]`. */
export function showShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(", ")}]`;
}

/** A short description of any value, for messages. */
export function show(value: unknown): string {
  if (isTensor(value)) return `a tensor of shape ${showShape(value.shape)}`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof (value as { then?: unknown } | null | undefined)?.then === "function") return "a promise";
  if (typeof value === "object" && value !== null) {
    return `an object (${value.constructor?.name ?? "no class"})`;
  }
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  return String(value);
}

/** Whether a value is a tensor of any backend. */
export function isTensor(value: unknown): value is Tensor {
  // Plain property reads: this runs several times in every operation, and `in` would be its slowest part.
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray((value as Partial<Tensor>).shape) &&
    typeof (value as Partial<Tensor>).backend === "object";
}

/** Whether a value is a branch of a tree: an array or an object without a class of its own. */
export function isBranch(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The expected size of an axis: a number, or a name for any size. */
type Size = number | string;

// The checks below take sizes as separate arguments instead of lists: they run some three hundred times per decoded
// token, and lists would be most of the garbage of a token.

/** Checks that `x` is a tensor of these sizes, of up to three axes. */
export function checkShape(action: string, name: string, x: Tensor, a: Size, b?: Size, c?: Size): void {
  const axes = c !== undefined ? 3 : b !== undefined ? 2 : 1;
  const shape = x && shapeOf(x);
  const fits = Array.isArray(shape) && shape.length === axes && typeof x.backend === "object" &&
    isSize(shape[0], a) && (axes < 2 || isSize(shape[1], b!)) && (axes < 3 || isSize(shape[2], c!));
  if (!fits) throw shapeError(action, name, x, [a, b, c].slice(0, axes) as Size[]);
}

function isSize(size: number, expected: Size): boolean {
  return size === expected || typeof expected === "string";
}

/** Checks that `x` is a tensor `[..., last]`. */
export function checkLast(action: string, name: string, x: Tensor, last: Size): void {
  const shape = x && shapeOf(x);
  const fits = Array.isArray(shape) && shape.length >= 1 && typeof x.backend === "object" &&
    isSize(shape[shape.length - 1], last);
  if (!fits) throw shapeError(action, name, x, ["...", last]);
}

/** Whether two shapes have the same sizes. */
export function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  // The result of an elementwise operation shares the shape array of its argument, so comparing the arrays often
  // suffices.
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** Checks that `x` is a tensor of the same shape as another. */
export function checkSameShape(action: string, name: string, x: Tensor, expected: readonly number[]): void {
  const shape = x && shapeOf(x);
  if (shape === expected) return;
  const fits = Array.isArray(shape) && isSameShape(shape, expected) && typeof x.backend === "object";
  if (!fits) throw shapeError(action, name, x, expected);
}

/** The error for a value that is not a tensor of these sizes. */
export function shapeError(action: string, name: string, x: unknown, expected: readonly Size[]): TypeError {
  return new TypeError(
    isTensor(x)
      ? `Cannot ${action}: ${name} must be ${showShape(expected)}, current shape is ${showShape(x.shape)}`
      : `Cannot ${action}: ${name} must be a tensor ${showShape(expected)}, current value is ${show(x)}`,
  );
}

/**
 * The backend on which an operation over these tensors runs: the one that they share; or, if some are recorded and
 * the others live on the recorded backend, the recording backend.
 *
 * @param names the tensors' names in order, `"x, weight, bias"`
 */
export function sharedBackend(
  action: string,
  names: string,
  a: Tensor,
  b: Tensor,
  c: Tensor = a,
  d: Tensor = a,
  e: Tensor = a,
): Backend {
  const { backend } = a;
  if (b.backend !== backend || c.backend !== backend || d.backend !== backend || e.backend !== backend) {
    return backendOfAll(action, names.split(", "), [a, b, c, d, e]);
  }
  return backend;
}

/** Of the tensors' backends, the one that accepts all of the tensors. */
export function backendOfAll(action: string, names: readonly string[], tensors: readonly Tensor[]): Backend {
  const takesAll = tensors.find((t) => tensors.every((other) => takes(t.backend, other.backend)));
  if (takesAll !== undefined) return takesAll.backend;
  const [{ backend }] = tensors;
  const other = tensors.findIndex((t) => t.backend !== backend);
  const { name } = tensors[other].backend;
  throw new TypeError(
    `Cannot ${action}: all tensors must live on one backend (move them with put), current ${
      names[0]
    } lives on ` +
      `${backend.name} and ${names[other]} on ${name === backend.name ? `another ${name}` : name}`,
  );
}

/** Of two backends that share tensors, the one that accepts the tensors of both. */
export function wider(a: Backend, b: Backend): Backend {
  return a === b || takes(a, b) ? a : b;
}

/** Whether a backend accepts the tensors of another: its own, or those of a backend that it records. */
function takes(backend: Backend, other: Backend): boolean {
  for (let at: Backend | undefined = backend; at !== undefined; at = engineOf(at).inner) {
    if (at === other) return true;
  }
  return false;
}

/** Checks that a value is a backend, and not the promise of one, as when an `await` was forgotten. */
export function checkBackend(action: string, backend: Backend): void {
  if (typeof engineOf(backend)?.upload !== "function") {
    throw new TypeError(
      `Cannot ${action}: backend must be a backend (await the promise of one), current value is ${
        show(backend)
      }`,
    );
  }
}

/** Checks that a value is a number; NaN and infinities are allowed. */
export function checkNumber(action: string, name: string, value: number): void {
  if (typeof value === "number") return;
  throw new TypeError(`Cannot ${action}: ${name} must be a number, current value is ${show(value)}`);
}

/** Checks that a value is an integer from `least` to `most`. */
export function checkInteger(
  action: string,
  name: string,
  value: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  checkNumber(action, name, value);
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    const isBelow = most === Number.MAX_SAFE_INTEGER && !(Number.isInteger(value) && value > most);
    const range = isBelow
      ? `at least ${least}`
      : `from ${least} to ${most === Number.MAX_SAFE_INTEGER ? "2⁵³ - 1" : most}`;
    throw new RangeError(`Cannot ${action}: ${name} must be an integer ${range}, current value is ${value}`);
  }
}

/** Checks that a value is a list of at least one sequence, each a list of at least two token ids, of any values. */
export function checkSequences(action: string, name: string, sequences: readonly ArrayLike<number>[]): void {
  if (!Array.isArray(sequences) || sequences.length === 0) {
    throw new TypeError(
      `Cannot ${action}: ${name} must be a list of at least one sequence, current value is ${
        show(sequences)
      }`,
    );
  }
  for (let i = 0; i < sequences.length; i++) checkSequence(action, `${name}[${i}]`, sequences[i], 2);
}

/** Checks that a value is a list of at least `shortest` token ids, of any values. */
export function checkSequence(action: string, name: string, ids: ArrayLike<number>, shortest: number): void {
  if (ids?.length >= shortest) return;
  const current = ids?.length === undefined ? `value is ${show(ids)}` : `length is ${ids.length}`;
  throw new TypeError(
    `Cannot ${action}: ${name} must be a list of at least ${shortest} token ids, current ${current}`,
  );
}

/** The error about two arguments in the other order, which was theirs in an earlier version. */
export function wrongOrder(action: string, order: string): TypeError {
  return new TypeError(
    `Cannot ${action}: arguments must be (${order}), current order is (${
      order.split(", ").reverse().join(", ")
    })`,
  );
}
