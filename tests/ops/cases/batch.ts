/** Cases of stacking and slicing states. */
import { sliceState, stackStates, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

export const batchCases: Case[] = [
  ...[[[1, 1], [1, 1]], [[2, 7], [1, 7], [3, 7]], [[1, 4, 13], [2, 4, 13]], [[3], [2]]].map((shapes) => ({
    name: shapes.map(show).join(" and "),
    inputs: (random: RandomSource) => shapes.map((shape) => normal(random, shape)),
    run: (parts: readonly Tensor[]) => {
      const whole = stackStates(parts);
      return [whole, sliceState(whole, 0), sliceState(whole, whole.shape[0] - 1)];
    },
    tolerance: 0,
  })),
  {
    name: "NaN",
    inputs: () => [list([1, NaN], [1, 2]), list([NaN, 4], [1, 2])],
    run: (parts) => {
      const whole = stackStates(parts);
      return [whole, sliceState(whole, 1)];
    },
    tolerance: 0,
    nan: [[1, 2], [0]],
  },
];
