/**
 * Initial values shared by the layers and the models.
 *
 * @module
 */
import { hostArray } from "./allocate.ts";
import { reference } from "./backends/reference/mod.ts";
import { engineOf } from "./engine.ts";
import { checkInteger, isBranch, isTensor } from "./check.ts";
import { checkNames, type Names } from "./names.ts";
import type { RandomSource } from "./random.ts";
import type { Backend, Tensor } from "./tensor.ts";
import { sizeOf } from "./tree.ts";

/**
 * Checks that a configuration has exactly these sizes, integers of at least 1.
 *
 * @param others other names that it may have, which the caller checks
 * @param name the name of the configuration in messages
 */
export function checkConfig<C extends object>(
  action: string,
  config: C,
  names: readonly (keyof C & string)[],
  others: readonly (keyof C & string)[] = [],
  name = "config",
): void {
  const known = Object.fromEntries([...names, ...others].map((name) => [name, 0]));
  checkNames(action, config, known as Names<C>, name);
  for (const size of names) checkInteger(action, `${name}.${size}`, config[size] as number, 1);
}

/** Draws the values of a tensor, and yields from time to time. */
export type Drawing = Generator<void, Tensor>;

/**
 * Parameters, some of which are still to be drawn, in the order of the tree: drawing all at once would block the thread
 * for long.
 */
export type Undrawn<P> = P extends Tensor ? P | (() => Drawing) : { readonly [K in keyof P]: Undrawn<P[K]> };

/** Draws one parameter after another, and returns the tree of all. */
export function* draw<P>(tree: Undrawn<P>): Generator<void, P> {
  if (typeof tree === "function") {
    const drawn = yield* tree();
    yield;
    return drawn as P;
  }
  if (isTensor(tree) || !isBranch(tree)) return tree as P;
  const drawn: Record<string, unknown> = {};
  for (const key in tree) drawn[key] = yield* draw((tree as Record<string, Undrawn<unknown>>)[key]);
  return (Array.isArray(tree) ? Object.values(drawn) : drawn) as P;
}

/** A model's `init` and `initInParts`, from a function that returns its undrawn parameters. */
export function initFrom<Config, Params>(undrawn: (config: Config, seed: number) => Undrawn<Params>): {
  init(config: Config, seed: number): Params;
  initInParts(config: Config, seed: number): Generator<void, Params>;
} {
  const initInParts = (config: Config, seed: number) => draw<Params>(undrawn(config, seed));
  return {
    init: (config, seed) => reference.scope(() => atOnce(initInParts(config, seed))),
    initInParts,
  };
}

/** Parameters drawn without a pause. */
export function drawn<P>(undrawn: () => Undrawn<P>): P {
  return reference.scope(() => atOnce(draw(undrawn())));
}

/** What a generator returns, without its pauses. */
export function atOnce<R>(parts: Generator<void, R>): R {
  for (;;) {
    const { done, value } = parts.next();
    if (done) return value;
  }
}

/** A tensor whose value at each index is `value(index)`; `values` is working memory. */
export function filled(
  shape: readonly number[],
  value: (index: number) => number,
  backend: Backend = reference,
  values: Float64Array = valuesFor(shape, backend),
): Tensor {
  for (let index = 0; index < values.length; index++) values[index] = value(index);
  return engineOf(backend).upload(values, shape);
}

function valuesFor(shape: readonly number[], backend: Backend): Float64Array {
  return hostArray("allocate tensor", Float64Array, sizeOf(shape), backend.memory().bytes);
}

/** The number of values drawn between two yields, which takes less time than the interval between event loop turns. */
const drawnAtOnce = 2 ** 16;

/** A tensor of what `next` returns. */
export function* drawnFrom(
  shape: readonly number[],
  next: () => number,
  backend: Backend = reference,
): Drawing {
  const values = valuesFor(shape, backend);
  for (let index = 0; index < values.length; index++) {
    if (index % drawnAtOnce === 0) yield;
    values[index] = next();
  }
  return engineOf(backend).upload(values, shape);
}

/** Independent draws from a normal distribution with mean 0. */
export function drawNormal(random: RandomSource, shape: readonly number[], deviation: number): Drawing {
  return drawnFrom(shape, () => deviation * random.normal());
}

/** Independent draws, uniform from -bound to bound. */
export function drawUniform(random: RandomSource, shape: readonly number[], bound: number): Drawing {
  return drawnFrom(shape, () => bound * (2 * random.uniform() - 1));
}

/**
 * A random matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al., 2013; PyTorch's
 * `orthogonal_`): normal draws, orthonormalized by the Gram-Schmidt process. The components along earlier vectors are
 * subtracted twice, since rounding leaves some after the first time.
 */
export function* drawOrthogonal(
  random: RandomSource,
  outputs: number,
  inputs: number,
  gain: number,
  backend: Backend = reference,
): Drawing {
  const shape = [outputs, inputs];
  // Allocated first: if there is no memory for the matrix, drawing its vectors would be in vain.
  const values = valuesFor(shape, backend);
  const count = Math.min(outputs, inputs), length = Math.max(outputs, inputs);
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const v = new Float64Array(length);
    for (let i = 0; i < length; i++) v[i] = random.normal();
    for (let time = 0; time < 2; time++) {
      for (const other of vectors) {
        const along = dot(v, other);
        for (let i = 0; i < length; i++) v[i] -= along * other[i];
      }
    }
    const norm = Math.sqrt(dot(v, v));
    vectors.push(v.map((x) => x / norm));
    yield;
  }
  const value = (index: number) => {
    const output = Math.floor(index / inputs), input = index % inputs;
    return gain * (outputs <= inputs ? vectors[output][input] : vectors[input][output]);
  };
  return filled(shape, value, backend, values);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
