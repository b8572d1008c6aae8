/**
 * Example inputs of an operation, generated from its declaration: the self-check and the tests of all operations
 * use them.
 *
 * @module
 */
import type { Declaration, Example } from "../operation.ts";
import type { RandomSource } from "../random.ts";
import { sizeOf } from "../tree.ts";

/** Sizes that are not multiples of a vector. Few and many rows and steps, since kernels treat these differently. */
const sizes: Example = { "...": [2, 10], B: [1, 2], T: [2, 5], S: [3, 9], C: 14, I: 14, O: 9, V: 11 };
const anySize = 3;

/** The arguments of a call. */
interface ExampleCall {
  readonly inputs: readonly { readonly data: Float32Array; readonly shape: readonly number[] }[];
  readonly constants: readonly number[];
}

/** An example call of a declared operation; `others` override the default sizes. */
export function exampleOf(
  { inputs, constants = [], example = {} }: Pick<Declaration, "inputs" | "constants" | "example">,
  random: RandomSource,
  isMany: boolean,
  others: Example = {},
): ExampleCall {
  const numberOf = (name: string, otherwise: number): number => {
    // A single size in a declaration is mandatory, a pair is only a default.
    const own = Array.isArray(example[name]) ? others[name] ?? example[name] : example[name];
    const found = own ?? others[name] ?? sizes[name] ?? otherwise;
    return typeof found === "number" ? found : (found as readonly [number, number])[Number(isMany)];
  };
  const sizeNamed = (text: string) => {
    const [, times, name] = /^(\d*)([^|]*)/.exec(text)!;
    return name === "" ? Number(times) : Number(times || 1) * numberOf(name, anySize);
  };
  return {
    inputs: inputs.map((text) => {
      const [name, words] = text.replace("?", "").split(/: ?/);
      const shape = words.split(" ").filter((word) => word !== "").map(sizeNamed);
      const element = example[name], make = typeof element === "function" ? element : (x: number) => x;
      return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => make(random.normal())) };
    }),
    constants: constants.map((name) => numberOf(name, 1)),
  };
}
