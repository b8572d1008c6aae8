/**
 * Runs the cases of an operation on every backend and compares them with the float64 reference. The cases have
 * awkward sizes: 1, 2, primes, one more than a block. Every operation has a case that states exactly which outputs
 * become NaN from NaN in its inputs.
 */
import { assert, assertEquals } from "@std/assert";
import { type Backend, createReference, readFloat64, type Tensor, tensor } from "@seqmix/seqmix";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { backends } from "../backends.ts";
import { assertNear, assertSame, type Numbers } from "../helpers.ts";

/** One call of an operation. */
export interface Case {
  readonly name: string;
  /** Creates the inputs, the same each time; every case has its own random numbers. */
  inputs(random: RandomSource): readonly Numbers[];
  /** The call. */
  run(inputs: readonly Tensor[]): readonly Tensor[];
  /** The largest error relative to an output's largest element; default 1e-5. 0 requires equal bits. */
  readonly tolerance?: number;
  /** For each output, the elements that are NaN; default: none. */
  readonly nan?: readonly (readonly number[])[];
  /** The inputs that have no gradient, such as ids and a loss's weights. */
  readonly constants?: readonly number[];
  /** The inputs that must not be scaled: rows of a state with different meanings. */
  readonly fixed?: readonly number[];
  /** What to compare, if several outputs are correct. */
  view?(outputs: readonly Float64Array[], inputs: readonly Numbers[]): readonly Float64Array[];
}

/** The allowed error if keys or logits reach ±60. */
export const steep = 1e-4;

/** B, T and C: 1, primes, one more than a block. */
export const timeSizes = [[1, 1, 1], [2, 1, 3], [3, 2, 7], [2, 37, 13], [1, 130, 67]];

/** A test for each backend, with a step for each case: outputs near the float64 reference's, inputs unchanged. */
export function runOnAll(symbol: string, cases: readonly Case[]): void {
  for (const { name: on, create } of backends) {
    Deno.test(`${symbol} equals the float64 reference on ${on}`, async (t) => {
      using backend = await create();
      for (const [seed, subject] of cases.entries()) {
        await t.step(subject.name, () => assertLikeReference(subject, seed, backend));
      }
    });
  }
}

/** Asserts that a case's outputs are near those of the float64 reference. */
export async function assertLikeReference(subject: Case, seed: number, backend: Backend): Promise<void> {
  const inputs = subject.inputs(randomSource(seed));
  using exact = createReference({ precision: "float64" });
  const expected = await outputsOf(subject, inputs, exact);
  const actual = await outputsOf(subject, inputs, backend);
  assertEquals(actual.map(({ shape }) => shape), expected.map(({ shape }) => shape));
  const compared = subject.view ?? ((outputs) => outputs);
  const wanted = compared(expected.map(({ data }) => data), inputs);
  compared(actual.map(({ data }) => data), inputs).forEach((output, i) => {
    compare(output, wanted[i], subject.nan?.[i] ?? [], subject.tolerance ?? 1e-5, `output ${i}`);
  });
}

async function outputsOf(subject: Case, inputs: readonly Numbers[], backend: Backend) {
  const tensors = inputs.map(({ data, shape }) => tensor(data, shape, backend));
  const results = subject.run(tensors);
  const outputs = [];
  for (const result of results) outputs.push({ shape: result.shape, data: await readFloat64(result) });
  for (const [i, input] of tensors.entries()) {
    assertSame(await readFloat64(input), inputs[i].data, `input ${i} afterwards`);
  }
  backend.free([tensors, results]);
  return outputs;
}

/** NaN exactly as the case states, infinities exactly as in the reference, the rest within the tolerance. */
function compare(
  actual: Float64Array,
  expected: Float64Array,
  nan: readonly number[],
  tolerance: number,
  what: string,
): void {
  assertEquals(indices(expected, Number.isNaN), nan, `NaN of the reference in ${what}`);
  assertEquals(indices(actual, Number.isNaN), nan, `NaN in ${what}`);
  const finite = indices(expected, Number.isFinite);
  expected.forEach((value, i) => {
    if (Math.abs(value) === Infinity) {
      assert(actual[i] === value, `${what}[${i}] is ${actual[i]}, not ${value}`);
    }
  });
  assertNear(finite.map((i) => actual[i]), finite.map((i) => expected[i]), tolerance, what);
}

function indices(values: Float64Array, test: (value: number) => boolean): number[] {
  return [...values.keys()].filter((i) => test(values[i]));
}
