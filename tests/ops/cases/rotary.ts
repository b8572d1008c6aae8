/** Cases of the rotary embedding. */
import { rotary, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { integers, list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const rotarySizes = [
  [1, 1, 2, 1, 0, 10_000],
  [2, 3, 12, 2, 5, 10_000],
  [1, 37, 14, 7, 0, 100],
  [2, 130, 28, 2, 3, 10_000],
  [1, 5, 134, 1, 1, 500],
  [3, 2, 12, 3, 4095, 10_000],
];

export const rotaryCases: Case[] = [
  ...rotarySizes.map(([batch, time, channels, heads, position, base]) => ({
    name: `${show([batch, time, channels])}, ${heads} heads, from ${position}, base ${base}`,
    inputs: (random: RandomSource) => [normal(random, [batch, time, channels])],
    run: ([x]: readonly Tensor[]) => [rotary(x, { heads, position, base })],
  })),
  {
    name: "NaN",
    inputs: () => [list([NaN, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, NaN], [1, 2, 8])],
    run: ([x]) => [rotary(x, { heads: 2 })],
    nan: [[0, 2, 13, 15]],
  },
];

export const rotaryAtCases: Case[] = [
  ...rotarySizes.map(([batch, time, channels, heads, position, base]) => ({
    name: `${show([batch, time, channels])}, ${heads} heads, below ${position + 200}, base ${base}`,
    inputs: (random: RandomSource) => [
      normal(random, [batch, time, channels]),
      integers(random, [batch, time], position + 200),
    ],
    run: ([x, position]: readonly Tensor[]) => [rotary(x, { heads, position, base })],
    constants: [1],
  })),
  {
    name: "the largest positions",
    inputs: (
      random,
    ) => [normal(random, [1, 3, 4]), list([2 ** 24, 2 ** 31 - 2 ** 7, 2 ** 30 + 2 ** 10], [1, 3])],
    run: ([x, position]) => [rotary(x, { heads: 1, position })],
    constants: [1],
  },
  {
    name: "positions that are none",
    inputs: (random) => [
      normal(random, [1, 7, 2]),
      list([0, -1, 0.5, NaN, Infinity, 2 ** 31, -0], [1, 7]),
    ],
    run: ([x, position]) => [rotary(x, { heads: 1, position })],
    nan: [[2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    constants: [1],
  },
  {
    name: "one step, before and after others whose angles are kept",
    inputs: (random) => [normal(random, [1, 1, 8]), numbers([1, 1], () => 5)],
    run: ([x, position]) =>
      [3, 5].flatMap((first) => [
        rotary(x, { heads: 2, position: first }),
        rotary(x, { heads: 2, position }),
        rotary(x, { heads: 2, position: first }),
      ]),
    constants: [1],
  },
];
