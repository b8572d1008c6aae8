/** Cases of softmax. */
import { softmax, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show, uniform } from "../../helpers.ts";
import { type Case, steep } from "../run_on_all.ts";

export const softmaxCases: Case[] = [
  ...[[1], [2], [3, 7], [2, 3, 67], [5, 129], [33, 5]].map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape, 3)],
    run: ([x]: readonly Tensor[]) => [softmax(x)],
  })),
  {
    name: "up to ±60",
    inputs: (random) => [uniform(random, [7, 37], 60)],
    run: ([x]) => [softmax(x)],
    tolerance: steep,
  },
  { name: "up to ±1e30", inputs: (random) => [uniform(random, [3, 13], 1e30)], run: ([x]) => [softmax(x)] },
  {
    name: "-Infinity",
    inputs: () => [list([-Infinity, 0, 1, -Infinity, -Infinity, -200], [2, 3])],
    run: ([x]) => [softmax(x)],
  },
  {
    name: "NaN",
    inputs: () => [list([1, 2, 3, 1, NaN, 3, -Infinity, -Infinity, -Infinity], [3, 3])],
    run: ([x]) => [softmax(x)],
    nan: [[3, 4, 5, 6, 7, 8]],
  },
];
