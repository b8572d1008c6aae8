/** Cases of group normalization. */
import { groupNorm, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const run = (groups: number, epsilon?: number) => ([x, weight, bias]: readonly Tensor[]) => [
  groupNorm(x, { weight, bias }, groups, { epsilon }),
];

const sizes: readonly [shape: readonly number[], groups: number, deviation: number][] = [
  [[1, 1], 1, 1],
  [[7], 1, 1],
  [[2, 3, 21], 3, 1000],
  [[5, 13, 67], 1, 1],
  [[37, 12], 3, 1],
  [[3, 129], 43, 1e-1],
  [[9, 64], 4, 30],
  [[130, 10], 2, 1],
  [[1, 1030], 5, 1],
];

export const groupNormCases: Case[] = [
  ...sizes.map(([shape, groups, deviation]) => ({
    name: `${show(shape)} in ${groups} groups, of deviation ${deviation}`,
    inputs: (random: RandomSource) => [
      normal(random, shape, deviation),
      normal(random, shape.slice(-1)),
      normal(random, shape.slice(-1)),
    ],
    run: run(groups),
  })),
  {
    name: "another ε",
    inputs: (random) => [normal(random, [4, 12], 0.1), normal(random, [12]), normal(random, [12])],
    run: run(2, 0.01),
  },
  {
    name: "a mean much larger than the deviation, another one in each group",
    inputs: (random) => [
      numbers([3, 66], (i) => 100 * (i % 66 < 33 ? 1 : -1) + random.normal()),
      normal(random, [66]),
      normal(random, [66]),
    ],
    run: run(2),
  },
  {
    name: "NaN, which stays in its group",
    inputs: () => [
      list([1, 2, 1, NaN, 3, 4, 4, 7], [2, 4]),
      list([NaN, 1, 1, 1]),
      list([0, 0, 0, NaN]),
    ],
    run: run(2),
    nan: [[0, 2, 3, 4, 7]],
  },
];
