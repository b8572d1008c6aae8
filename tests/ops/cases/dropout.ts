/** Cases of dropout. */
import { dropout, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

export const dropoutCases: Case[] = [
  ...[[], [1], [3], [7, 5], [2, 37, 13], [129], [1031]].flatMap((shape, i): Case[] => [{
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape)],
    run: ([x]: readonly Tensor[]) => [
      dropout(x, { rate: 0.5, seed: i }),
      dropout(x, { rate: 0.1, seed: 2 ** 40 + i, step: 3 }),
      dropout(x, { rate: 0.999, seed: i, step: 2 ** 32 - 1 }),
    ],
  }, {
    name: `${show(shape)}, with the step as a tensor`,
    inputs: (random: RandomSource) => [normal(random, shape), list([i * 1000], [])],
    run: ([x, step]: readonly Tensor[]) => [dropout(x, { rate: 0.3, seed: 5, step })],
    constants: [1],
  }]),
  {
    name: "rates near 0 and 1",
    inputs: (random) => [normal(random, [200])],
    run: ([x]) => [dropout(x, { rate: 1e-9, seed: 1 }), dropout(x, { rate: 1 - 2 ** -30, seed: 1 })],
  },
  {
    name: "NaN, which is never dropped",
    inputs: () => [numbers([9], (i) => i % 2 === 0 ? NaN : 1)],
    run: ([x]) => [dropout(x, { rate: 0.5, seed: 1 })],
    nan: [[0, 2, 4, 6, 8]],
  },
];
