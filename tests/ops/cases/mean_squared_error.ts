/** Cases of the mean squared error. */
import { meanSquaredError, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const run = ([prediction, target, weights]: readonly Tensor[]) => [
  meanSquaredError(prediction, target, weights),
];

export const meanSquaredErrorCases: Case[] = [
  ...[[1], [5], [3, 7], [2, 37, 13], [2, 130, 5], [3, 7, 129], [67, 131]].flatMap((shape): Case[] => [{
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape), normal(random, shape)],
    run,
  }, {
    name: `${show(shape)}, weighted`,
    inputs: (random: RandomSource) => [
      normal(random, shape),
      normal(random, shape),
      numbers(shape.slice(0, -1), () => 0.5 + random.uniform()),
    ],
    run,
    constants: [2],
  }]),
  {
    name: "more than a workgroup of rows",
    inputs: (random) => [normal(random, [9000, 3]), normal(random, [9000, 3])],
    run,
  },
  {
    name: "differences that are small, and sums of squares that are out of range",
    inputs: () => [numbers([100, 3], () => 1e19), numbers([100, 3], (i) => 1e19 * (1 + i / 300))],
    run,
  },
  {
    name: "lists of weights, and masked rows with any contents",
    inputs: () => [list([1, NaN, 3, 4], [1, 4, 1]), list([0, 1, Infinity, 1], [1, 4, 1])],
    run: ([a, b]) => [meanSquaredError(a, b, [[1, 0, 0, 2]])],
  },
  {
    name: "NaN: an element, no weight at all",
    inputs: () => [list([1, NaN], [1, 2]), list([1, 2], [1, 2]), list([0], [1])],
    run: ([a, b, none]) => [meanSquaredError(a, b), meanSquaredError(b, b, none), meanSquaredError(b, b)],
    nan: [[0], [0], []],
  },
];
