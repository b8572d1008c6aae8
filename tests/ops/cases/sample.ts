/** Cases of sampling the next token. */
import { sample, type SampleOptions, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const sampleOptions: readonly SampleOptions[] = [
  { temperature: 0 },
  { seed: 3 },
  { temperature: 0.7, seed: 2 ** 32 - 1 },
  { topK: 5 },
  { topP: 0.9, seed: 11 },
  { temperature: 1.5, topK: 9, topP: 0.8, seed: 2 ** 31 },
];

export const sampleCases: Case[] = [
  ...sampleOptions.flatMap((options, i) =>
    [[1], [2, 2], [3, 37, 67], [5, 129]].map((shape) => ({
      name: `${show(shape)} with ${Deno.inspect(options)}`,
      inputs: (random: RandomSource) => [normal(random, shape, 3)],
      run: (
        [logits]: readonly Tensor[],
      ) => [sample(logits, options, i), sample(logits, options, 2 ** 32 - 1)],
      tolerance: 0,
    }))
  ),
  {
    name: "-Infinity is never drawn",
    inputs: () => [list([-Infinity, 0, -Infinity, -Infinity, -Infinity, 5], [2, 3])],
    run: ([logits]) => [sample(logits), sample(logits, { temperature: 0 }), sample(logits, { topP: 0.5 })],
    tolerance: 0,
  },
  {
    name: "NaN",
    inputs: () => [list([1, 2, 1, NaN, NaN, 1, 3, 1], [4, 2])],
    run: ([logits]) => sampleOptions.map((options) => sample(logits, options)),
    tolerance: 0,
    nan: sampleOptions.map(() => [1, 2]),
  },
];
