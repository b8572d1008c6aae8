/**
 * Every operation and its gradient, on inputs of magnitudes from 1e-30 to 1e30, on every backend, compared with the
 * float64 reference on the same inputs. If the exact result is within single precision, the backend's must be close;
 * if it is larger, the backend's must be infinity of the same sign.
 *
 * The tolerance is what results from errors of a few units in the last place of the inputs, and of the outputs that
 * the gradient is given: a sum of terms that cancel, or a softmax of scores in the millions, can't be known any
 * better.
 */
import { AssertionError } from "@std/assert";
import { type Backend, createReference, type Floats, readFloat64, type Tensor, tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { vjp } from "../../src/autodiff/mod.ts";
import { engineOf } from "../../src/engine.ts";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { sizeOf } from "../../src/tree.ts";
import { backends } from "../backends.ts";
import { normal, type Numbers } from "../helpers.ts";
import { elementwiseCases } from "./cases/elementwise.ts";
import { tables } from "./cases/mod.ts";
import type { Case } from "./run_on_all.ts";

/** The largest number of single precision. */
const largest = (2 - 2 ** -23) * 2 ** 127;
/** Below about 1e-38 a device may flush to 0, also within a sum and before a multiplication. */
const flushed = 1e-35;
/**
 * For some operations, the inputs whose products with the gradient cancel within a sum: for wkv, what a key
 * contributes to its own scale; for an LSTM, the slope of a gate that is closed or open in single precision is 0.
 */
const cancelling: Record<string, readonly number[]> = { wkv: [3], lstmRecurrence: [1, 3] };
/** The relative perturbation of the inputs. */
const off = 2 ** -20;
const neighbours = 4;

/** A case with the power of ten of each input, and of the gradients of its outputs. */
interface Extreme {
  readonly subject: Case;
  readonly seed: number;
  readonly powers: readonly number[];
  readonly gradientPower: number;
}

function scaled({ data, shape }: Numbers, power: number): Numbers {
  return { shape, data: data.map((x) => x * 10 ** power) };
}

function inputsOf({ subject, seed, powers }: Extreme): Numbers[] {
  const fixed = new Set([...subject.constants ?? [], ...subject.fixed ?? []]);
  return subject.inputs(randomSource(seed)).map((numbers, i) =>
    fixed.has(i) ? numbers : scaled(numbers, powers[i])
  );
}

/** A number that differs by a few units in its last place. */
function nudge(x: number, random: RandomSource): number {
  return x * (1 + off * (2 * random.uniform() - 1));
}

/** A float64 reference whose results are all perturbed like that. */
function inexactReference(random: RandomSource): Backend {
  const backend = engineOf(createReference({ precision: "float64" })), run = backend.run.bind(backend);
  backend.run = (...call) =>
    run(...call).map((t) => {
      const numbers = backend.download(t) as Float64Array;
      backend.free(t);
      return backend.upload(numbers.map((x) => Math.fround(nudge(x, random))), t.shape);
    });
  return backend;
}

/** Outputs and gradients by name. */
type Results = readonly (readonly [name: string, numbers: Float64Array])[];

/**
 * The outputs of a case and the gradients of its differentiable inputs; `move` changes the gradients of the outputs.
 */
async function run(
  { subject, seed, gradientPower }: Extreme,
  inputs: readonly { data: Floats; shape: readonly number[] }[],
  backend: Backend,
  move = (x: number) => x,
): Promise<Results> {
  const tensors = inputs.map(({ data, shape }) => tensor(data, shape, backend));
  const constant = new Set(subject.constants);
  const variables = [...tensors.keys()].filter((i) => !constant.has(i));
  const shapes = backend.scope(() => subject.run(tensors).map(({ shape }) => shape));
  const seeds = shapes.map((shape, i) => {
    const { data } = scaled(normal(randomSource(seed, i), shape), gradientPower);
    return tensor(Float64Array.from(data, move), shape, backend);
  });
  const { values, grads } = vjp(
    (params: readonly Tensor[]) => {
      let next = 0;
      return subject.run(tensors.map((t, i) => constant.has(i) ? t : params[next++]));
    },
    variables.map((i) => tensors[i]),
    seeds,
  );
  const outputs: Float64Array[] = [], gradients: Float64Array[] = [];
  for (const value of values) outputs.push(await readFloat64(value));
  for (const grad of grads) gradients.push(await readFloat64(grad));
  backend.free([tensors, seeds, values, grads]);
  const compared = subject.view?.(outputs, inputs as readonly Numbers[]) ?? outputs;
  return [
    ...compared.map((data, i) => [`output ${i}`, data] as const),
    ...gradients.map((data, i) => [`gradient of input ${variables[i]}`, data] as const),
  ];
}

/** The results of a case with perturbed inputs and intermediate results, a few times. */
async function resultsNearby(extreme: Extreme, inputs: readonly Numbers[]): Promise<Results[]> {
  const constant = new Set(extreme.subject.constants);
  const results = [];
  for (let i = 0; i < neighbours; i++) {
    const random = randomSource(extreme.seed, i), move = (x: number) => nudge(x, random);
    using inexact = inexactReference(random);
    const moved = inputs.map(({ data, shape }, i) => ({
      shape,
      data: constant.has(i) ? data : Float64Array.from(data, move),
    }));
    results.push(await run(extreme, moved, inexact, move));
  }
  return results;
}

/** The sizes that errors depend on and that no perturbation shows. */
function sizesOf(symbol: string, { subject, gradientPower }: Extreme, inputs: readonly Numbers[]) {
  const each = inputs.map(({ data }, i) =>
    subject.constants?.includes(i) ? 1 : data.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  );
  const gradient = 10 ** (gradientPower + 1);
  return {
    /** The largest factor of a product. */
    factor: Math.max(1, gradient, ...symbol in elementwiseCases ? [] : each),
    /** A bound on a sum of products of all. */
    bound: each.reduce((product, size) => product * size, 10 * Math.max(1, gradient)),
    cancelled: symbol in cancelling ? cancelling[symbol].reduce((size, i) => size * each[i], gradient) : 0,
  };
}

async function check(symbol: string, extreme: Extreme, backend: Backend): Promise<void> {
  const inputs = inputsOf(extreme);
  const { factor, bound, cancelled } = sizesOf(symbol, extreme, inputs);
  using exact = createReference({ precision: "float64" });
  const actual = await run(extreme, inputs, backend), expected = await run(extreme, inputs, exact);
  const nearby = await resultsNearby(extreme, inputs);
  for (const [r, [name, wanted]] of expected.entries()) {
    const isGradient = name.startsWith("gradient");
    // Elements of other operations are sums, which others of the same size may belong to.
    const scale = symbol in elementwiseCases ? 0 : wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const floor = flushed * factor + 1e-6 * scale + (isGradient ? 1e-5 * cancelled : 0);
    const excused = bound > largest && mayPartsOverflow(backend.name, symbol, isGradient);
    for (const [i, value] of wanted.entries()) {
      const found = actual[r][1][i];
      if (excused && !Number.isFinite(found)) continue;
      const spread = nearby.reduce((most, results) => Math.max(most, Math.abs(results[r][1][i] - value)), 0);
      const tolerance = 16 * spread + 1e-5 * Math.abs(value) + floor;
      if (!isRight(found, value, tolerance)) {
        throw new AssertionError(`${name}[${i}] is ${found}, not ${value} ± ${tolerance}`);
      }
    }
  }
}

/**
 * Whether a result may be infinite or NaN because a part of a sum is too large, though the sum is not. In the
 * gradient of an LSTM these are the gradients of the gates, which are results themselves, and in single precision
 * like everything that is passed from step to step. Repeating the sequence in smaller units, as `wkv` does, would
 * flush the small gradients of other gates to 0, and cost dispatches on a GPU even where all is finite.
 */
function mayPartsOverflow(backend: string, symbol: string, isGradient: boolean): boolean {
  return isGradient && symbol === "lstmRecurrence" && backend !== "reference";
}

function isRight(found: number, wanted: number, tolerance: number): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(found);
  // A perturbed result exceeds single precision, so that the exact one is not known at all.
  if (!(tolerance < Infinity)) return true;
  const least = wanted - tolerance, most = wanted + tolerance;
  if (found === Infinity) return most > largest;
  if (found === -Infinity) return least < -largest;
  return found >= least && found <= most;
}

const powers = fc.oneof(
  fc.constantFrom(-30, -20, -10, 0, 0, 0, 10, 20, 30),
  fc.integer({ min: -30, max: 30 }),
);

/** The cases that are finite and small, at all magnitudes. */
function extremesOf(cases: readonly Case[]): fc.Arbitrary<Extreme> {
  const small = cases.filter((subject) => {
    const inputs = subject.inputs(randomSource(1));
    const size = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return subject.nan === undefined && size < 5000 &&
      inputs.every(({ data }) => data.every(Number.isFinite));
  });
  return fc.record({
    subject: fc.constantFrom(...small),
    seed: fc.nat(1000),
    powers: fc.array(powers, { minLength: 8, maxLength: 8 }),
    gradientPower: powers,
  });
}

for (const { name: on, create } of backends) {
  for (const [symbol, cases] of Object.entries(tables)) {
    Deno.test(`${symbol}() and its gradient are right at any magnitude on ${on}`, async () => {
      using backend = await create();
      const property = fc.asyncProperty(extremesOf(cases), (extreme) => check(symbol, extreme, backend));
      await fc.assert(property, { numRuns: on === "webgpu" ? 10 : 24, seed: 1 });
    });
  }
}
