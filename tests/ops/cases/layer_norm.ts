/** Cases of layer normalization. */
import { layerNorm } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const norm: Case["run"] = ([x, weight, bias]) => [layerNorm(x, { weight, bias })];

const layerNormSizes: readonly [shape: readonly number[], deviation: number][] = [
  [[1, 1], 1],
  [[7], 1],
  // Two numbers are normalized to ±1 unless they are small relative to √ε, so there is no slope to compare.
  [[3, 2], 0.03],
  [[2, 7], 1000],
  [[5, 13, 67], 1],
  [[1, 129], 1e-3],
  [[9, 33], 30],
];

export const layerNormCases: Case[] = [
  ...layerNormSizes.map(([shape, deviation]) => ({
    name: `${show(shape)} of deviation ${deviation}`,
    inputs: (random: RandomSource) => [
      normal(random, shape, deviation),
      normal(random, shape.slice(-1)),
      normal(random, shape.slice(-1)),
    ],
    run: norm,
    fixed: shape[shape.length - 1] === 2 ? [0] : [],
  })),
  {
    name: "a mean much larger than the deviation",
    inputs: (random) => [
      numbers([3, 67], () => 100 + random.normal()),
      normal(random, [67]),
      normal(random, [67]),
    ],
    run: norm,
  },
  {
    name: "NaN",
    inputs: () => [list([1, 2, 3, 1, NaN, 3, 4, 4, 4], [3, 3]), list([NaN, 1, 1]), list([0, 0, NaN])],
    run: norm,
    nan: [[0, 2, 3, 4, 5, 6, 8]],
  },
];
