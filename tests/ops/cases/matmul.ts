/** Cases of products of matrices. */
import { matmul, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

/** Matrices of a row, a column and one term; of more than a tile; batches on one side, on both, and crossed. */
const pairs: readonly (readonly [a: readonly number[], b: readonly number[]])[] = [
  [[1, 1], [1, 1]],
  [[1, 7], [7, 13]],
  [[13, 7], [7, 1]],
  [[5, 1], [1, 3]],
  [[67, 33], [33, 65]],
  [[3, 259], [259, 9]],
  [[3, 5, 7], [7, 4]],
  [[5, 7], [3, 7, 4]],
  [[3, 5, 7], [3, 7, 4]],
  [[2, 3, 66, 5], [2, 3, 5, 17]],
  [[2, 1, 4, 3], [3, 3, 2]],
  [[2, 1, 1, 3], [1, 3, 3, 1]],
  [[1, 2, 3], [1, 1, 3, 2]],
  [[2, 4, 0], [0, 3]],
];

export const matmulCases: Case[] = [
  ...pairs.map(([one, other]) => ({
    name: `${show(one)} and ${show(other)}`,
    inputs: (random: RandomSource) => [normal(random, one), normal(random, other)],
    run: ([a, b]: readonly Tensor[]) => [matmul(a, b)],
  })),
  {
    name: "beyond single precision on the way",
    inputs: () => [list([3e38, 3e38, -3e38, 1, 2, 3], [2, 1, 3]), list([1, 1, 1, 2, 2, 1], [2, 3, 1])],
    run: ([a, b]) => [matmul(a, b)],
    nan: [[]],
  },
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 3, 4, 5, 6, 7, 8], [2, 2, 2]), list([1, 2, NaN, 4], [2, 2])],
    run: ([a, b]) => [matmul(a, b)],
    nan: [[0, 1, 2, 4, 6]],
  },
  {
    name: "NaN in batches of both",
    inputs: () => [list([1, NaN, 3, 4, 5, 6, 7, 8], [2, 2, 2]), list([1, 2, 3, 4, 1, 2, NaN, 4], [2, 2, 2])],
    run: ([a, b]) => [matmul(a, b)],
    nan: [[0, 1, 4, 6]],
  },
];
