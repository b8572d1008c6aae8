/** Cases of sums and means. */
import { mean, sum, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

/** Short axes and long ones, the first, the last and one between, and all of them. */
const reductions: readonly (readonly [shape: readonly number[], axis?: number])[] = [
  [[]],
  [[1], 0],
  [[7], 0],
  [[67, 3]],
  [[2, 37, 67]],
  [[3, 7], 0],
  [[3, 7], -1],
  [[67, 13], 0],
  [[5, 131], 1],
  [[3, 65, 2], 1],
  [[2, 66, 33], 1],
  [[2, 5, 3, 9], 2],
  [[1, 4300], 1],
  [[3, 0, 2], 1],
];

function reduceCases(run: (x: Tensor, axis?: number) => Tensor): Case[] {
  return [
    ...reductions.filter(([shape]) => run === sum || !shape.includes(0)).map(([shape, axis]) => ({
      name: `${show(shape)}, ${axis ?? "all"}`,
      inputs: (random: RandomSource) => [normal(random, shape)],
      run: ([x]: readonly Tensor[]) => [run(x, axis)],
    })),
    {
      name: "beyond single precision on the way",
      inputs: () => [list([3e38, 2e38, -3e38, -2e38, 2e38, 1e38, 1e38, -3e38, 2e38], [3, 3])],
      run: ([x]) => [run(x), run(x, 0), run(x, 1)],
      nan: [[], [], []],
    },
    {
      name: "infinite",
      inputs: () => [list([Infinity, 1, -Infinity, 2], [2, 2])],
      run: ([x]) => [run(x, 1)],
    },
    {
      name: "NaN",
      inputs: () => [list([1, NaN, 3, Infinity, 5, -Infinity], [3, 2])],
      run: ([x]) => [run(x, 0), run(x, 1)],
      nan: [[1], [0]],
    },
  ];
}

export const sumCases = reduceCases(sum), meanCases = reduceCases(mean);
