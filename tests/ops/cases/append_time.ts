/** Cases of concatenation along time. */
import { appendTime, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

export const appendTimeCases: Case[] = [
  ...[[1, 0, 1, 1], [2, 1, 1, 3], [3, 5, 2, 7], [2, 37, 130, 13], [1, 3, 0, 2]].map((
    [batch, before, time, channels],
  ) => ({
    name: `${batch}×(${before} + ${time} + ${time})×${channels}`,
    inputs: (random: RandomSource) => [
      normal(random, [batch, before, channels]),
      normal(random, [batch, time, channels]),
    ],
    run: ([past, x]: readonly Tensor[]) => {
      const once = appendTime(past, x);
      return [once, appendTime(once, x)];
    },
    tolerance: 0,
  })),
  {
    name: "NaN",
    inputs: () => [list([1, NaN], [2, 1, 1]), list([NaN, 4], [2, 1, 1])],
    run: ([past, x]) => [appendTime(past, x)],
    tolerance: 0,
    nan: [[1, 2]],
  },
];
