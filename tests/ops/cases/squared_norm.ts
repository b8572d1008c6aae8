/** Cases of the squared norm. */
import { squaredNorm, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const run = (xs: readonly Tensor[]) => [squaredNorm(xs)];

export const squaredNormCases: Case[] = [
  ...[[], [1], [3, 7], [129], [67, 33]].map((shape): Case => ({
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape)],
    run,
  })),
  {
    name: "several tensors as one vector, one of them of zeros",
    inputs: (random) => [normal(random, [3, 7]), list([0, 0]), normal(random, [])],
    run,
  },
  { name: "zeros", inputs: () => [list([0, -0])], run },
  { name: "NaN", inputs: () => [list([1, NaN])], run, nan: [[0]] },
];
