/** Cases of all operations, derived from their declarations. */
import { compute } from "../../../src/compute.ts";
import { exampleOf } from "../../../src/ops/example.ts";
import { operations } from "../../../src/ops/list.ts";
import type { Example, Operation } from "../../../src/operation.ts";
import { randomSource } from "../../../src/random.ts";
import type { Case } from "../run_on_all.ts";

type Declared = (typeof operations)[number];

/** Sizes in addition to those of the self-check: 1, primes, one more than a vector and than a block. */
const sizes: readonly { readonly name: string; readonly sizes?: Example }[] = [
  { name: "of one", sizes: { "...": 1, B: 1, T: 1, S: 2, O: 1, I: 1, V: 1, C: 1 } },
  { name: "few" },
  { name: "many" },
  { name: "of primes", sizes: { "...": 37, B: 3, T: 2, O: 17, I: 5, V: 67, C: 129 } },
];

/** The cases of each operation with a kernel, by its name. */
export function declaredCases(isWanted: (operation: Declared) => boolean): Record<string, Case[]> {
  const wanted = operations.filter((operation) => operation.compute === null && isWanted(operation));
  return Object.fromEntries(
    wanted.map((operation) => [`${operation.name}, as declared,`, casesOf(operation)]),
  );
}

function casesOf(operation: Declared): Case[] {
  const { declaration, plan: { inputs }, gradient } = operation;
  const of = "of" in Object(declaration.gradient)
    ? (declaration.gradient as { of: readonly string[] }).of
    : null;
  const constants = gradient === "constant"
    ? []
    : inputs.flatMap(({ name }, i) => of?.includes(name) ?? true ? [] : [i]);
  return sizes.map(({ name, sizes }): Case => {
    const draw = (random = randomSource(1)) => exampleOf(declaration, random, name !== "few", sizes);
    return {
      name,
      inputs: (random) => draw(random).inputs,
      run: (tensors) => compute(operation as Operation, tensors, draw().constants),
      constants,
    };
  });
}
