/**
 * Every operation and its gradient on inputs of magnitudes from 1e-30 to 1e30, on every backend, against the float64 reference
 * of the same inputs. Where the exact result is a number of single precision, so is the backend's, and near; where it is
 * larger, the backend's is infinity of the same sign.
 *
 * How near is what an operation makes of inputs, and of results that its gradient is given, that are off by a few units in
 * their last place: a sum of numbers that cancel, or a softmax of scores of millions, is no better known than that.
 */
import { AssertionError } from "@std/assert";
import { type Backend, createReference, readFloat64, type Tensor, tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { pullBack } from "../../src/autodiff/mod.ts";
import { rules } from "../../src/autodiff/rules.ts";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { sizeOf } from "../../src/tree.ts";
import { backends } from "../backends.ts";
import { normal, type Numbers } from "../helpers.ts";
import { elementwiseCases } from "./cases/elementwise.ts";
import { tables } from "./cases/mod.ts";
import type { Case } from "./run_on_all.ts";

/** The largest number of single precision. */
const largest = (2 - 2 ** -23) * 2 ** 127;
/** Below about 1e-38 a device may flush to 0; times the largest factor, since products within a sum are flushed as well. */
const flushed = 1e-36;
/**
 * Of some operations the input whose products with the gradient cancel within a sum: in wkv, what a key adds to its own scale; in
 * an LSTM the slope of a gate that is closed or open to single precision is 0.
 */
const cancelling: Record<string, number> = { wkv: 3, lstmRecurrence: 3 };
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
  const backend = createReference({ precision: "float64" });
  const nudged = (t: Tensor) => {
    const numbers = backend.download(t) as Float64Array;
    backend.free(t);
    return backend.upload(numbers.map((x) => Math.fround(nudge(x, random))), t.shape);
  };
  const replace = (methods: object, name: string) => {
    const run = Reflect.get(methods, name).bind(methods) as (
      ...args: unknown[]
    ) => Tensor | (Tensor | null)[];
    Object.defineProperty(methods, name, {
      value: (...args: unknown[]) => {
        const result = run(...args);
        return Array.isArray(result) ? result.map((t) => t && nudged(t)) : nudged(result);
      },
    });
  };
  for (const name of Object.keys(rules)) replace(backend, name);
  for (const name of Object.keys(backend.backward)) replace(backend.backward, name);
  return backend;
}

/** The outputs, and the gradients of the inputs that have one. */
async function run(
  extreme: Extreme,
  inputs: readonly { data: ArrayLike<number>; shape: readonly number[] }[],
  backend: Backend,
  move?: (x: number) => number,
) {
  const { subject, seed, gradientPower } = extreme;
  const tensors = inputs.map(({ data, shape }) => tensor(data, shape, backend));
  const constant = new Set(subject.constants);
  const shapes = backend.scope(() => subject.run(tensors).map(({ shape }) => shape));
  const seeds = shapes.map((shape, i) => scaled(normal(randomSource(seed, i), shape), gradientPower))
    .map(({ shape, data }) => ({ shape, data: move ? Float64Array.from(data, move) : data }));
  const { values, grads } = pullBack(
    (params: readonly Tensor[]) => {
      let next = 0;
      return subject.run(tensors.map((t, i) => constant.has(i) ? t : params[next++]));
    },
    tensors.filter((_, i) => !constant.has(i)),
    seeds.map(({ data, shape }) => tensor(data, shape, backend)),
  );
  const named: [string, Float64Array][] = [];
  const outputs = values.map((value, i) => [`output ${i}`, value] as const);
  const variables = [...tensors.keys()].filter((i) => !constant.has(i));
  const gradients = grads.map((grad, i) => [`gradient of input ${variables[i]}`, grad] as const);
  const numbers: Float64Array[] = [];
  for (const [name, t] of [...outputs, ...gradients]) {
    numbers.push(await readFloat64(t));
    named.push([name, numbers[numbers.length - 1]]);
  }
  const compared = subject.view?.(numbers.slice(0, values.length), inputs as Numbers[]) ??
    numbers.slice(0, values.length);
  compared.forEach((data, i) => named[i][1] = data);
  return named;
}

async function check(
  extreme: Extreme,
  backend: Backend,
  symbol: string,
  partial: (isGradient: boolean) => boolean,
): Promise<void> {
  const inputs = inputsOf(extreme);
  const actual = await run(extreme, inputs, backend);
  using exact = createReference({ precision: "float64" });
  const expected = await run(extreme, inputs, exact);
  const near = [];
  for (let i = 0; i < neighbours; i++) {
    const random = randomSource(extreme.seed, i);
    using inexact = inexactReference(random);
    const fixed = new Set(extreme.subject.constants);
    const move = (x: number) => nudge(x, random);
    const moved = inputs.map(({ data, shape }, i) => ({
      shape,
      data: fixed.has(i) ? data : Float64Array.from(data, move),
    }));
    near.push(await run(extreme, moved, inexact, move));
  }
  const sizes = inputs.filter((_, i) => !extreme.subject.constants?.includes(i)).map(({ data }) =>
    data.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  );
  const seeds = Math.max(1, 10 ** (extreme.gradientPower + 1));
  const factor = Math.max(...sizes, seeds);
  const noise = symbol in cancelling ? 1e-6 * sizes[cancelling[symbol]] * 10 ** extreme.gradientPower : 0;
  const bound = sizes.reduce((product, size) => product * size, 100) * seeds;
  for (const [o, [name, wanted]] of expected.entries()) {
    const isGradient = name.startsWith("gradient");
    const scale = symbol in elementwiseCases
      ? 0
      : wanted.reduce((most, x) => Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most, 0);
    for (const [i, value] of wanted.entries()) {
      const found = actual[o][1][i];
      const values = near.map((outputs) => outputs[o][1][i]);
      const spread = Math.max(...values.map((other) => Math.abs(other - value)));
      const tolerance = 16 * spread + 1e-5 * Math.abs(value) + 1e-6 * scale + flushed * factor +
        (isGradient ? noise : 0);
      const excused = !Number.isFinite(found) && partial(isGradient) && bound > largest;
      const verdict = excused || judge(found, value, tolerance);
      if (!verdict) throw new AssertionError(`${name}[${i}] is ${found}, not ${value} ± ${tolerance}`);
    }
  }
}

function judge(found: number, wanted: number, tolerance: number): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(found);
  // What is not known at all.
  if (!(tolerance < Infinity)) return true;
  const least = wanted - tolerance, most = wanted + tolerance;
  if (found === Infinity) return most > largest;
  if (found === -Infinity) return least < -largest;
  return found >= least && found <= most;
}

const power = fc.oneof(
  fc.constantFrom(-30, -20, -10, 0, 0, 0, 10, 20, 30),
  fc.integer({ min: -30, max: 30 }),
);

function extremesOf(cases: readonly Case[]): fc.Arbitrary<Extreme> {
  const ordinary = cases.filter((subject) => {
    const inputs = subject.inputs(randomSource(1));
    return subject.nan === undefined && inputs.every(({ data }) => data.every(Number.isFinite)) &&
      inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0) < 5000;
  });
  return fc.record({
    subject: fc.constantFrom(...ordinary),
    seed: fc.nat(1000),
    powers: fc.array(power, { minLength: 8, maxLength: 8 }),
    gradientPower: power,
  });
}

const only = Deno.env.get("ONLY")?.split(",");
for (const [symbol, cases] of Object.entries(tables)) {
  if (only && !only.includes(symbol)) continue;
  for (const { name: on, create } of backends) {
    Deno.test(`${symbol}() and its gradient are right at any magnitude on ${on}`, async () => {
      using backend = await create();
      const partial = (isGradient: boolean) =>
        on === "webgpu" && (isGradient || symbol === "linear") ||
        isGradient && (symbol === "wkv" || symbol === "lstmRecurrence");
      await fc.assert(
        fc.asyncProperty(
          extremesOf(cases),
          (extreme) => check(extreme, backend, symbol, partial),
        ),
        { numRuns: Number(Deno.env.get("RUNS") ?? 60), seed: 1, examples: [] },
      );
    });
  }
}
