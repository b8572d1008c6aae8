/**
 * The gradients of all operations on the operations' own cases: those of the float64 reference compared with central
 * differences, and those of every backend with the float64 reference.
 */
import { type Backend, createReference, readFloat64, type Tensor, tensor } from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { backends } from "../backends.ts";
import { assertNear, assertSame, normal, type Numbers } from "../helpers.ts";
import { declaredCases } from "./cases/declared.ts";
import { tables } from "./cases/mod.ts";
import type { Case } from "./run_on_all.ts";

const all = { ...tables, ...declaredCases(({ gradient }) => gradient !== "constant" && gradient !== "none") };

/** A case with its inputs and the gradients of its outputs, both the same on every backend. */
interface Subject {
  readonly subject: Case;
  readonly inputs: readonly Numbers[];
  seeds(shapes: readonly (readonly number[])[]): Numbers[];
}

/** The cases in which everything is finite; in others there is no slope to compare with. */
function subjectsOf(cases: readonly Case[]): Subject[] {
  return cases.map((subject, seed) => {
    const random = randomSource(seed);
    const inputs = subject.inputs(random);
    const seeds = (shapes: readonly (readonly number[])[]) =>
      shapes.map((shape, i) => normal(randomSource(seed, i), shape));
    return { subject, inputs, seeds };
  }).filter(({ subject, inputs }) =>
    subject.nan === undefined && inputs.every(({ data }) => data.every(Number.isFinite))
  );
}

/** A case's gradients, and the values of its outputs. */
async function gradientsOf({ subject, inputs, seeds }: Subject, backend: Backend) {
  const tensors = inputs.map(({ data, shape }) => tensor(data, shape, backend));
  const constant = new Set(subject.constants);
  const shapes = backend.scope(() => subject.run(tensors).map(({ shape }) => shape));
  const given = seeds(shapes).map(({ data, shape }) => tensor(data, shape, backend));
  const variables = tensors.filter((_, i) => !constant.has(i));
  const { values, grads } = vjp(
    (params: readonly Tensor[]) => {
      let next = 0;
      return subject.run(tensors.map((t, i) => constant.has(i) ? t : params[next++]));
    },
    variables,
    given,
  );
  const numbers = [];
  for (const grad of grads) numbers.push(await readFloat64(grad));
  for (const [i, input] of tensors.entries()) {
    assertSame(await readFloat64(input), inputs[i].data, `input ${i} afterwards`);
  }
  for (const [i, seed] of given.entries()) {
    assertSame(await readFloat64(seed), seeds(shapes)[i].data, `the gradient of output ${i} afterwards`);
  }
  backend.free([tensors, given, values, grads]);
  return numbers;
}

/** The elements of an input whose slopes are computed; a difference takes two runs of the case. */
const probes = 12;

/** Σ seed·output, after one element of an input was changed. */
async function shifted({ subject, inputs, seeds }: Subject, input: number, element: number, by: number) {
  using backend = createReference({ precision: "float64" });
  const tensors = inputs.map(({ data, shape }, i) => {
    const numbers = Float64Array.from(data);
    if (i === input) numbers[element] += by;
    return tensor(numbers, shape, backend);
  });
  const outputs = subject.run(tensors);
  const given = seeds(outputs.map(({ shape }) => shape));
  let sum = 0;
  for (const [i, output] of outputs.entries()) {
    const numbers = await readFloat64(output);
    numbers.forEach((value, at) => sum += value * given[i].data[at]);
  }
  return sum;
}

function drawn(random: RandomSource, size: number): number[] {
  if (size <= probes) return [...Array(size).keys()];
  return Array.from({ length: probes }, () => random.integer(size));
}

for (const [symbol, cases] of Object.entries(all)) {
  Deno.test(`the gradient of ${symbol}() on the float64 reference is the slope`, async (t) => {
    for (const [number, each] of subjectsOf(cases).entries()) {
      await t.step(each.subject.name, async () => {
        using exact = createReference({ precision: "float64" });
        const grads = await gradientsOf(each, exact);
        const variables = [...each.inputs.keys()].filter((i) => !each.subject.constants?.includes(i));
        for (const [i, input] of variables.entries()) {
          const { data } = each.inputs[input];
          const elements = drawn(randomSource(number, i), data.length);
          const slopes = [];
          // What rounding alone can contribute to a difference.
          let noise = 0;
          for (const element of elements) {
            const step = 1e-5 * Math.max(1, Math.abs(data[element]));
            const above = await shifted(each, input, element, step);
            const below = await shifted(each, input, element, -step);
            slopes.push((above - below) / (2 * step));
            noise = Math.max(noise, Number.EPSILON * Math.abs(above) / step);
          }
          const largest = grads[i].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          const scale = Math.max(largest, noise / 1e-6);
          // Relative to the largest entry of the whole gradient, not of the entries that were drawn.
          const found = elements.map((element) => grads[i][element]);
          assertNear([...found, scale], [...slopes, scale], 1e-6, `gradient of input ${input}`);
        }
      });
    }
  });
}

for (const { name: on, create } of backends) {
  for (const [symbol, cases] of Object.entries(all)) {
    Deno.test(`the gradient of ${symbol}() on ${on} equals the float64 reference's`, async (t) => {
      using backend = await create();
      for (const each of subjectsOf(cases)) {
        await t.step(each.subject.name, async () => {
          using exact = createReference({ precision: "float64" });
          const expected = await gradientsOf(each, exact), actual = await gradientsOf(each, backend);
          expected.forEach((grad, i) => assertNear(actual[i], grad, 1e-4, `gradient ${i}`));
        });
      }
    });
  }
}
