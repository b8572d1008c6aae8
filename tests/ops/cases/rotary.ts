/** Cases of the rotary embedding. */
import { rotary, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
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
