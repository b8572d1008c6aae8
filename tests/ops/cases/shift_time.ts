/** Cases of token shift. */
import { lastStep, shiftTime, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import { type Case, timeSizes } from "../run_on_all.ts";

export const shiftTimeCases: Case[] = [
  ...[...timeSizes, [2, 0, 3]].map(([batch, time, channels]) => ({
    name: show([batch, time, channels]),
    inputs: (random: RandomSource) => [
      normal(random, [batch, time, channels]),
      normal(random, [batch, channels]),
    ],
    run: ([x, first]: readonly Tensor[]) => [shiftTime(x, first)],
    tolerance: 0,
  })),
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 3, NaN, 5, 6], [1, 3, 2]), list([NaN, 8], [1, 2])],
    run: ([x, first]) => [shiftTime(x, first)],
    tolerance: 0,
    nan: [[0, 3, 5]],
  },
];

export const lastStepCases: Case[] = [
  ...timeSizes.map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape)],
    run: ([x]: readonly Tensor[]) => [lastStep(x)],
    tolerance: 0,
  })),
  {
    name: "NaN",
    inputs: () => [list([NaN, 2, 3, NaN, 5, 6, NaN, 8], [2, 2, 2])],
    run: ([x]) => [lastStep(x)],
    tolerance: 0,
    nan: [[1, 2]],
  },
];
