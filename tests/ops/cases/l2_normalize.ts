/** Cases of vectors of length 1. */
import { l2Normalize, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const run = ([x]: readonly Tensor[]) => [l2Normalize(x)];

export const l2NormalizeCases: Case[] = [
  ...[[7], [3, 2], [2, 5, 13], [37, 67], [1, 129], [3, 1031]].flatMap((shape) =>
    [1, 1e9].map((deviation): Case => ({
      name: `${show(shape)} of deviation ${deviation}`,
      inputs: (random: RandomSource) => [normal(random, shape, deviation)],
      run,
    }))
  ),
  {
    name: "a vector of one number",
    inputs: () => [list([3, -0.5], [2, 1])],
    run,
  },
  {
    name: "squares out of range",
    inputs: () => [list([3e38, -3e38, 1e30, 2e25, 1e-10, 3e-11, 3e19, 1e20, -2e19], [3, 3])],
    run,
  },
  {
    name: "an infinite number, and NaN",
    inputs: () => [numbers([3, 3], (i) => i === 1 ? Infinity : i === 5 ? NaN : 1)],
    run,
    nan: [[1, 3, 4, 5]],
  },
];

/** Vectors so short that a finite difference would be far longer. */
export const shortCases: Case[] = [
  {
    name: "short vectors",
    inputs: (random) => [normal(random, [5, 13], 1e-9)],
    run,
  },
  {
    name: "zeros, and what is shorter than ε",
    inputs: () => [list([0, 0, 0, 1e-13, -2e-13, 0, 1e-30, 0, 1e-31], [3, 3])],
    run,
  },
];
