/** NaN never becomes a number, in any operation or gradient; derived from the declarations. */
import { assertEquals } from "@std/assert";
import { type Backend, createReference, readFloat64, tensor } from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { randomSource } from "../../src/random.ts";
import { backends } from "../backends.ts";
import { normal, type Numbers } from "../helpers.ts";
import { declaredCases } from "./cases/declared.ts";
import type { Case } from "./run_on_all.ts";

const differentiated = declaredCases(({ gradient }) => gradient !== "constant" && gradient !== "none");

/**
 * The NaN elements of outputs and gradients, if one element of an input (or of the first output's gradient) is NaN.
 */
async function nansOf(
  { run, constants = [] }: Case,
  inputs: readonly Numbers[],
  at: number,
  backend: Backend,
) {
  const element = (numbers: Numbers) => Math.floor(0.6 * numbers.data.length);
  const spoiled = (numbers: Numbers) => ({ ...numbers, data: numbers.data.with(element(numbers), NaN) });
  const tensors = inputs.map((numbers, i) => {
    const { data, shape } = i === at ? spoiled(numbers) : numbers;
    return tensor(data, shape, backend);
  });
  const shapes = backend.scope(() => run(tensors).map(({ shape }) => shape));
  const seeds = shapes.map((shape, i) => {
    const seed = normal(randomSource(3, i), shape);
    const { data } = at === inputs.length && i === 0 ? spoiled(seed) : seed;
    return tensor(data, shape, backend);
  });
  const variables = tensors.filter((_, i) => !constants.includes(i));
  const { values, grads } = vjp(
    (params: typeof variables) => {
      let next = 0;
      return run(tensors.map((t, i) => constants.includes(i) ? t : params[next++]));
    },
    variables,
    seeds,
  );
  const found = [];
  for (const t of [...values, ...grads]) {
    const numbers = await readFloat64(t);
    found.push([...numbers.keys()].filter((i) => Number.isNaN(numbers[i])));
  }
  backend.free([tensors, seeds, values, grads]);
  return found;
}

for (const { name: on, create } of backends) {
  Deno.test(`every operation and its gradient are NaN on ${on} where the reference is`, async (t) => {
    using backend = await create();
    using exact = createReference({ precision: "float64" });
    for (const [name, cases] of Object.entries(differentiated)) {
      await t.step(name, async () => {
        for (const each of cases.filter(({ name }) => name === "few" || name === "many")) {
          const inputs = each.inputs(randomSource(1));
          for (let at = 0; at <= inputs.length; at++) {
            const expected = await nansOf(each, inputs, at, exact),
              actual = await nansOf(each, inputs, at, backend);
            assertEquals(
              actual,
              expected,
              `${each.name}, NaN in ${at === inputs.length ? "gy" : `input ${at}`}`,
            );
          }
        }
      });
    }
  });
}
