/** Cases of the embedding. */
import { embedding, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { integers, list, normal } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

export const embeddingCases: Case[] = [
  ...[[1, 1, 1, 1], [5, 1, 1, 37], [67, 33, 2, 37], [129, 7, 3, 5]].map((
    [vocabulary, channels, batch, time],
  ) => ({
    name: `${batch}×${time} of ${vocabulary}×${channels}`,
    inputs: (random: RandomSource) => [
      normal(random, [vocabulary, channels]),
      integers(random, [batch, time], vocabulary),
    ],
    run: ([weight, ids]: readonly Tensor[]) => [embedding(ids, weight)],
    constants: [1],
    tolerance: 0,
  })),
  {
    name: "invalid ids, and a NaN in a row",
    inputs: () => [
      list([1, 2, 3, NaN, 5, 6], [3, 2]),
      list([2, -1, 3, 0.5, NaN, Infinity, 1, -0.5, 2 ** 31, 0], [2, 5]),
    ],
    run: ([weight, ids]) => [embedding(ids, weight)],
    tolerance: 0,
    nan: [[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17]],
  },
];
