/** Cases of what an optimiser does to one tensor. They are methods of a backend: the public functions take trees. */
import type { Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const shapes = [[], [1], [2], [3, 7], [5, 13], [129], [67, 33]];

const step = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  correction1: 1 - 0.9 ** 3,
  correction2: 1 - 0.95 ** 3,
};

function update([param, grad, mean, variance]: readonly Tensor[]): readonly Tensor[] {
  return param.backend.adamW(param, grad, mean, variance, step);
}

/** Of `adamW`: the parameter, its gradient, the mean, the variance. */
export const adamWCases: Case[] = [
  ...shapes.map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [
      ...[normal(random, shape), normal(random, shape), normal(random, shape)],
      numbers(shape, () => random.uniform()),
    ],
    run: update,
  })),
  {
    name: "no gradient yet, the first, and a very small one",
    inputs: () => [list([1, 2, 3]), list([0, -0.5, 1e-7]), list([0, 0, 0]), list([0, 0, 0])],
    run: ([param, grad, mean, variance]) => {
      const first = { ...step, correction1: 1 - 0.9, correction2: 1 - 0.95 };
      return param.backend.adamW(param, grad, mean, variance, first);
    },
  },
  {
    name: "NaN",
    inputs: () => [
      ...[list([NaN, 1, 1, 1, 1]), list([1, NaN, 1, 1, 1]), list([1, 1, NaN, 1, 1]), list([1, 1, 1, NaN, 1])],
    ],
    run: update,
    nan: [[0, 1, 2, 3], [1, 2], [1, 3]],
  },
];

/** Of `sumOfSquares`. */
export const sumOfSquaresCases: Case[] = [
  ...[...shapes, [1_000_003]].map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape)],
    run: ([x]: readonly Tensor[]) => [x.backend.sumOfSquares(x)],
    tolerance: 1e-6,
  })),
  {
    name: "a large square before a million small ones",
    inputs: () => [numbers([1_000_001], (i) => i === 0 ? 1000 : 1e-2)],
    run: ([x]) => [x.backend.sumOfSquares(x)],
    tolerance: 1e-6,
  },
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 2])],
    run: ([x]) => [x.backend.sumOfSquares(x)],
    nan: [[0]],
  },
];

/** Of `clipToNorm`: the tensor, the sum of the squares of all that is clipped. */
export const clipToNormCases: Case[] = [
  ...shapes.flatMap((shape) =>
    [0, 0.25, 2.25, 1e6].map((squares) => ({
      name: `${show(shape)}, √${squares}`,
      inputs: (random: RandomSource) => [normal(random, shape), list([squares], [])],
      run: ([x, sum]: readonly Tensor[]) => [x.backend.clipToNorm(x, sum, 1.5)],
      tolerance: 1e-6,
    }))
  ),
  {
    name: "NaN in one, and in the sum",
    inputs: () => [list([1, NaN]), list([4], []), list([NaN], [])],
    run: ([x, sum, none]) => [x.backend.clipToNorm(x, sum, 1.5), x.backend.clipToNorm(x, none, 1.5)],
    nan: [[1], [0, 1]],
  },
];
