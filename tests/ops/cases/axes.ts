/** Cases of the operations that only move numbers. */
import { concat, reshape, reverse, slice, type Tensor, transpose } from "@seqmix/seqmix";
import { expand } from "../../../src/ops/reduce/mod.ts";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

/** Cases of one input each, which is moved exactly. */
function moves(
  run: (x: Tensor, ...args: never[]) => Tensor,
  calls: readonly (readonly [shape: readonly number[], ...args: unknown[]])[],
  nan: Case,
): Case[] {
  return [
    ...calls.map(([shape, ...args]) => ({
      name: `${show(shape)}, ${args.map((arg) => Array.isArray(arg) ? show(arg) : arg).join(", ")}`,
      inputs: (random: RandomSource) => [normal(random, shape)],
      run: ([x]: readonly Tensor[]) => [run(x, ...args as never[])],
      tolerance: 0,
    })),
    { ...nan, tolerance: 0 },
  ];
}

const nans = () => [list([1, NaN, 3, 4, 5, 6], [2, 3])];

export const reshapeCases = moves(reshape, [
  [[], [1, 1]],
  [[6], [2, 3]],
  [[2, 3, 67], [6, -1]],
  [[2, 3, 5], [-1]],
  [[1], []],
], { name: "NaN", inputs: nans, run: ([x]) => [reshape(x, [3, 2])], nan: [[1]] });

export const transposeCases = moves(transpose, [
  [[], []],
  [[7], [0]],
  [[2, 3], [1, 0]],
  [[67, 130], [1, 0]],
  [[131, 5], [-1, 0]],
  [[3, 65, 4], [0, 2, 1]],
  [[3, 5, 4], [2, 0, 1]],
  [[2, 5, 3, 13], [0, 2, 1, 3]],
  [[2, 5, 3, 13], [3, 1, 2, 0]],
  [[1, 5, 1, 3], [2, 3, 0, 1]],
  [[2, 3, 2, 3, 2, 3], [5, 4, 3, 2, 1, 0]],
  [[2, 3, 2, 3, 2, 1, 2, 3], [7, 6, 5, 4, 3, 2, 1, 0]],
], { name: "NaN", inputs: nans, run: ([x]) => [transpose(x, [1, 0])], nan: [[2]] });

export const sliceCases = moves(slice, [
  [[5], 0, 1, 4],
  [[5], 0, 0, 5],
  [[5, 3], 0, -2],
  [[5, 3], 1, 1, 2],
  [[2, 7, 13], 1, 2, -1],
  [[2, 7, 13], -1, 3, 8],
  [[3, 4], 1, 2, 2],
], { name: "NaN", inputs: nans, run: ([x]) => [slice(x, 1, 1, 3)], nan: [[0]] });

export const reverseCases = moves(reverse, [
  [[1], 0],
  [[5], 0],
  [[3, 67], 0],
  [[3, 67], 1],
  [[2, 5, 3], 1],
  [[2, 1, 3], 1],
], { name: "NaN", inputs: nans, run: ([x]) => [reverse(x, 1)], nan: [[1]] });

export const expandCases = moves(expand, [
  [[], [5]],
  [[3], [2, 3]],
  [[3, 1], [3, 67]],
  [[2, 1, 3, 1], [4, 2, 5, 3, 7]],
  [[3], [1, 3]],
], {
  name: "NaN",
  inputs: () => [list([1, NaN], [2, 1])],
  run: ([x]) => [expand(x, [2, 3])],
  nan: [[3, 4, 5]],
});

const joins: readonly (readonly [axis: number, ...shapes: (readonly number[])[]])[] = [
  [0, [3]],
  [0, [3], [1], [5]],
  [1, [2, 3], [2, 1]],
  [-1, [2, 5, 3], [2, 5, 67]],
  [1, [2, 5, 3], [2, 1, 3], [2, 7, 3]],
  [0, [2, 3], [0, 3], [1, 3]],
];

export const concatCases: Case[] = [
  ...joins.map(([axis, ...shapes]) => ({
    name: `${shapes.map(show).join(" and ")}, ${axis}`,
    inputs: (random: RandomSource) => shapes.map((shape) => normal(random, shape)),
    run: (xs: readonly Tensor[]) => [concat(xs, axis)],
    tolerance: 0,
  })),
  {
    name: "one tensor twice",
    inputs: (random) => [normal(random, [3, 2])],
    run: ([x]) => [concat([x, x], 1)],
    tolerance: 0,
  },
  {
    name: "NaN",
    inputs: () => [list([1, NaN], [2, 1]), list([3, 4, NaN, 6], [2, 2])],
    run: (xs) => [concat(xs, 1)],
    tolerance: 0,
    nan: [[3, 4]],
  },
];
