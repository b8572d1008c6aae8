/**
 * Tensors of a single number, and random ones.
 *
 * @module
 */
import { reference } from "./backends/reference/mod.ts";
import { checkBackend, checkInteger, checkNumber, showShape } from "./check.ts";
import { atOnce, drawnFrom, drawOrthogonal, filled } from "./initialize.ts";
import { checkNames, type Names } from "./names.ts";
import { randomSource } from "./random.ts";
import type { Backend, Tensor } from "./tensor.ts";
import { checkSizes } from "./transfer.ts";

/**
 * A tensor of ones.
 *
 * @param shape the sizes, outermost first; `[]` is a single number
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if shape is not a list of numbers, or backend is not a backend
 * @throws {RangeError} if a size is not an integer of at least 0, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { ones, read } from "@seqmix/seqmix";
 *
 * console.log(await read(ones([2]))); // Float32Array [ 1, 1 ]
 * ```
 */
export function ones(shape: readonly number[], backend: Backend = reference): Tensor {
  return constant("make ones", shape, 1, backend);
}

/**
 * A tensor whose elements are all the same number.
 *
 * @param shape the sizes, outermost first; `[]` is a single number
 * @param value the number, which may be NaN or infinite
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if shape is not a list of numbers, value is not a number, or backend is not a backend
 * @throws {RangeError} if a size is not an integer of at least 0, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { full, read } from "@seqmix/seqmix";
 *
 * console.log(await read(full([2], 0.5))); // Float32Array [ 0.5, 0.5 ]
 * ```
 */
export function full(shape: readonly number[], value: number, backend: Backend = reference): Tensor {
  checkNumber("fill tensor", "value", value);
  return constant("fill tensor", shape, value, backend);
}

function constant(action: string, shape: readonly number[], value: number, backend: Backend): Tensor {
  checkSizes(action, shape);
  checkBackend(action, backend);
  return filled(shape, () => value, backend);
}

/** Options of {@linkcode normal}. */
export interface NormalOptions {
  /** The standard deviation, at least 0; default 1. */
  readonly deviation?: number | undefined;
  /** Default 0. */
  readonly mean?: number | undefined;
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

const normalNames: Names<NormalOptions> = { deviation: 0, mean: 0, seed: 0 };

/**
 * A tensor of independent draws from a normal distribution. The same seed gives the same numbers on every backend.
 *
 * @param shape the sizes, outermost first
 * @param options `deviation`, `mean` and `seed`
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if shape is not a list of numbers, an option is not a number or not known, or backend is not a
 *   backend
 * @throws {RangeError} if a size or an option is out of range, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { normal } from "@seqmix/seqmix";
 *
 * console.log(normal([64, 32], { deviation: 0.02, seed: 1 }).shape); // [ 64, 32 ]
 * ```
 */
export function normal(
  shape: readonly number[],
  options: NormalOptions,
  backend: Backend = reference,
): Tensor {
  const action = "draw normal numbers";
  checkArguments(action, shape, options, normalNames, backend);
  const { deviation = 1, mean = 0, seed } = options;
  checkFinite(action, "deviation", deviation, 0);
  checkFinite(action, "mean", mean);
  const random = randomSource(seed);
  return atOnce(drawnFrom(shape, () => mean + deviation * random.normal(), backend));
}

/** Options of {@linkcode uniform}. */
export interface UniformOptions {
  /** The lowest number; default 0. */
  readonly low?: number | undefined;
  /** The end of the range, not below `low`; default 1. */
  readonly high?: number | undefined;
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

const uniformNames: Names<UniformOptions> = { low: 0, high: 0, seed: 0 };

/**
 * A tensor of independent draws, uniform from `low` to `high`. The same seed gives the same numbers on every backend.
 *
 * @param shape the sizes, outermost first
 * @param options `low`, `high` and `seed`
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if shape is not a list of numbers, an option is not a number or not known, or backend is not a
 *   backend
 * @throws {RangeError} if a size or an option is out of range, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { uniform } from "@seqmix/seqmix";
 *
 * console.log(uniform([64, 32], { low: -0.1, high: 0.1, seed: 1 }).shape); // [ 64, 32 ]
 * ```
 */
export function uniform(
  shape: readonly number[],
  options: UniformOptions,
  backend: Backend = reference,
): Tensor {
  const action = "draw uniform numbers";
  checkArguments(action, shape, options, uniformNames, backend);
  const { low = 0, high = 1, seed } = options;
  checkFinite(action, "low", low);
  checkFinite(action, "high", high, low);
  const random = randomSource(seed);
  return atOnce(drawnFrom(shape, () => low + (high - low) * random.uniform(), backend));
}

/** Options of {@linkcode orthogonal}. */
export interface OrthogonalOptions {
  /** A factor of the matrix; default 1. */
  readonly gain?: number | undefined;
  /** An integer from 0 to 2⁵³ - 1. */
  readonly seed: number;
}

const orthogonalNames: Names<OrthogonalOptions> = { gain: 0, seed: 0 };

/**
 * A random matrix times a gain, whose rows or columns, whichever are fewer, are orthogonal and of length 1 (Saxe et
 * al., 2013; PyTorch's `orthogonal_`). The same seed gives the same numbers on every backend.
 *
 * @param shape `[O, I]`
 * @param options `gain` and `seed`
 * @param backend where it lives; default: the reference
 * @returns a tensor of that shape
 * @throws {TypeError} if shape is not a list of two numbers, an option is not a number or not known, or backend is not
 *   a backend
 * @throws {RangeError} if a size or an option is out of range, or if memory is exhausted
 *
 * @example
 * ```ts
 * import { orthogonal } from "@seqmix/seqmix";
 *
 * console.log(orthogonal([64, 32], { gain: Math.SQRT2, seed: 1 }).shape); // [ 64, 32 ]
 * ```
 */
export function orthogonal(
  shape: readonly number[],
  options: OrthogonalOptions,
  backend: Backend = reference,
): Tensor {
  const action = "draw orthogonal matrix";
  checkArguments(action, shape, options, orthogonalNames, backend);
  if (shape.length !== 2) {
    throw new TypeError(`Cannot ${action}: shape must be [O, I], current shape is ${showShape(shape)}`);
  }
  const { gain = 1, seed } = options;
  checkFinite(action, "gain", gain);
  return atOnce(drawOrthogonal(randomSource(seed), shape[0], shape[1], gain, backend));
}

function checkArguments<O extends { readonly seed: number }>(
  action: string,
  shape: readonly number[],
  options: O,
  names: Names<O>,
  backend: Backend,
): void {
  checkSizes(action, shape);
  checkNames(action, options, names);
  checkInteger(action, "seed", options.seed, 0);
  checkBackend(action, backend);
}

function checkFinite(action: string, name: string, value: number, least = -Infinity): void {
  checkNumber(action, name, value);
  if (Number.isFinite(value) && value >= least) return;
  const range = least === -Infinity ? "" : ` and at least ${least}`;
  throw new RangeError(`Cannot ${action}: ${name} must be finite${range}, current value is ${value}`);
}
