/**
 * Every operation and its gradient on inputs of magnitudes from 1e-30 to 1e30, on every backend, against the float64 reference
 * of the same inputs. Where the exact result is a number of single precision, so is the backend's, and near; where it is
 * larger, the backend's is infinity of the same sign.
 *
 * How near is what an operation makes of inputs, and of results that its gradient is given, that are off by a few units in
 * their last place: a sum of numbers that cancel, or a softmax of scores of millions, is no better known than that.
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
/** Below about 1e-38 a device may flush to 0, within a sum too, whatever it is multiplied by afterwards. */
const flushed = 1e-35;
/**
 * Of some operations the inputs whose products with the gradient cancel within a sum: in wkv, what a key adds to its own scale;
 * in an LSTM the slope of a gate that is closed or open to single precision is 0.
 */
const cancelling: Record<string, readonly number[]> = { wkv: [3], lstmRecurrence: [1, 3] };
/** How far the inputs of a neighbour are off. */
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

/** The same number but for a few units in its last place. */
function nudge(x: number, random: RandomSource): number {
  return x * (1 + off * (2 * random.uniform() - 1));
}

/** A float64 reference whose results are all off by as much. */
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

/** Outputs and gradients by their names. */
type Results = readonly (readonly [name: string, numbers: Float64Array])[];

/** The outputs of a case, and the gradients of the inputs that have one; `move` changes the gradients of the outputs. */
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

/** What the case gives with inputs and results that are a little off, a few times. */
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

/** The sizes on which errors depend that no neighbour shows. */
function sizesOf(symbol: string, { subject, gradientPower }: Extreme, inputs: readonly Numbers[]) {
  const each = inputs.map(({ data }, i) =>
    subject.constants?.includes(i) ? 1 : data.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  );
  const gradient = 10 ** (gradientPower + 1);
  return {
    /** The largest factor of a product. */
    factor: Math.max(1, gradient, ...symbol in elementwiseCases ? [] : each),
    /** What a sum of products of all may reach. */
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
    // Elements of other operations are sums, to which others of the same size may belong.
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
 * Where a result may be infinite or NaN because a part of a sum is too large, though the sum is not. In an LSTM's gradient these
 * are the gradients of the gates, which are results themselves and in single precision as what goes from step to step is. To go
 * through a sequence once more in smaller units, as `wkv` does, would take the small gradients of its other gates to 0, and on a
 * GPU dispatches for nothing where all is finite.
 */
function mayPartsOverflow(backend: string, symbol: string, isGradient: boolean): boolean {
  return isGradient && symbol === "lstmRecurrence" && backend !== "reference";
}

function isRight(found: number, wanted: number, tolerance: number): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(found);
  // A neighbour's result is past single precision, so that it is not known at all.
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

/** The cases that are finite and small, at any magnitudes. */
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
      await fc.assert(property, { numRuns: on === "webgpu" ? 25 : 60, seed: 1 });
    });
  }
}
