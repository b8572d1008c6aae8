/** Cases of the linear map. */
import { linear, multiply, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const linearSizes = [
  [1, 1, 1],
  [1, 2, 3],
  [1, 67, 129],
  [1, 128, 65],
  [2, 5, 9],
  [3, 7, 13],
  [4, 16, 17],
  [5, 33, 8],
  [9, 17, 33],
  [33, 129, 67],
  [130, 65, 5],
  [1, 0, 3],
  [5, 0, 3],
  [5, 3, 0],
];

const biasedSizes: readonly [shape: readonly number[], outputs: number][] = [
  [[7], 1],
  [[2, 37, 13], 7],
  [[1, 1, 129], 67],
  [[3, 5], 17],
];

export const linearCases: Case[] = [
  ...linearSizes.map(([rows, inputs, outputs]) => ({
    name: `${rows}×${inputs}→${outputs}`,
    inputs: (random: RandomSource) => [normal(random, [rows, inputs]), normal(random, [outputs, inputs])],
    run: ([x, weight]: readonly Tensor[]) => [linear(x, weight)],
  })),
  ...biasedSizes.map(([shape, outputs]) => ({
    name: `${show(shape)}→${outputs} with a bias`,
    inputs: (random: RandomSource) => [
      normal(random, shape, 100),
      normal(random, [outputs, shape[shape.length - 1]]),
      normal(random, [outputs], 100),
    ],
    run: ([x, weight, bias]: readonly Tensor[]) => [linear(x, weight, bias)],
  })),
  ...[[64, 8, 12], [65, 33, 7], [300, 5, 300]].map(([rows, inputs, outputs]) => ({
    name: `${rows}×${inputs}→${outputs}, of which a few rows count`,
    inputs: (random: RandomSource) => [
      normal(random, [rows, inputs]),
      normal(random, [outputs, inputs]),
      // Their gradients are 0, of either sign.
      numbers([rows, 1], (row) => row % 5 === 4 ? 1 : row % 2 === 0 ? 0 : -0),
    ],
    run: ([x, weight, counts]: readonly Tensor[]) => [multiply(linear(x, weight), counts)],
  })),
  {
    name: "NaN and infinities where rows do not count",
    inputs: () => [
      numbers([16, 2], (i) => i === 3 ? NaN : i === 8 ? Infinity : i),
      numbers([3, 2], (i) => i),
      numbers([16, 1], (row) => row > 13 ? 1 : 0),
    ],
    run: ([x, weight, counts]) => [multiply(linear(x, weight), counts)],
    nan: [[3, 4, 5, 12, 13, 14]],
  },
  {
    name: "NaN, also times 0",
    inputs: () => [
      list([NaN, 1, 0, 0, 0, 0], [3, 2]),
      list([0, 0, 1, 1, NaN, 1, 0, 0], [4, 2]),
      list([0, 0, 0, NaN]),
    ],
    run: ([x, weight, bias]) => [linear(x, weight, bias)],
    nan: [[0, 1, 2, 3, 6, 7, 10, 11]],
  },
];
