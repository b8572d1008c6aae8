/** Cases of broadcasting, and of factors that are tensors. */
import { add, divide, multiply, scale, subtract, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

/** Numbers in front, in between and behind, on one side and on both. */
const pairs = [
  [[7, 13], [13]],
  [[13], [7, 13]],
  [[7, 13], [7, 1]],
  [[1], [5]],
  [[], [3, 5]],
  [[3, 5], []],
  [[3, 1, 5], [1, 7, 1]],
  [[2, 1, 3, 1], [5, 1, 4]],
  [[2, 3, 67], [3, 1]],
  [[1, 1], [1, 1, 1]],
  [[2, 1, 2, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2, 1, 2]],
  [[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2], [2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]],
];

function broadcast(run: (a: Tensor, b: Tensor) => Tensor): Case[] {
  return [
    ...pairs.map(([one, other]) => ({
      name: `${show(one)} and ${show(other)}`,
      inputs: (random: RandomSource) =>
        [one, other].map((shape) => {
          const { data } = normal(random, shape);
          return { shape, data: data.map((x) => x + Math.sign(x)) };
        }),
      run: ([a, b]: readonly Tensor[]) => [run(a, b)],
    })),
    {
      name: "NaN",
      inputs: () => [list([1, NaN, 3], [3, 1]), list([4, 5])],
      run: ([a, b]) => [run(a, b)],
      nan: [[2, 3]],
    },
  ];
}

export const broadcastCases = {
  "broadcasting add": broadcast(add),
  "broadcasting subtract": broadcast(subtract),
  "broadcasting multiply": broadcast(multiply),
  "broadcasting divide": broadcast(divide),
};

export const scaleByCases: Case[] = [
  ...[[], [1], [3, 7], [129], [2, 37, 67]].map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape), normal(random, [])],
    run: ([x, factor]: readonly Tensor[]) => [scale(x, factor)],
  })),
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 3]), list([2], [])],
    run: ([x, factor]) => [scale(x, factor)],
    nan: [[1]],
  },
];
