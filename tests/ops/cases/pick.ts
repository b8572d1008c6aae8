/** Cases of picking rows and placing them again. */
import type { Tensor } from "@seqmix/seqmix";
import { pick, place } from "../../../src/ops/pick/mod.ts";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

/** The shape of x, how many of its axes count as one, the indices. */
const picks: readonly (readonly [readonly number[], number, readonly number[]])[] = [
  [[1], 1, [0]],
  [[5, 3], 1, [4, 0, 1]],
  [[3, 5, 2], 2, [0, 1, 2, 5, 6, 7, 10, 11, 12]],
  [[3, 5, 1], 2, [4, 9, 14]],
  [[2, 7, 3], 2, [13, 2, 3, 4, 11, 10, 0]],
  [[4, 2, 3], 1, []],
];

export const pickCases: Case[] = [
  ...picks.map(([shape, axes, indices]) => ({
    name: `${indices.length} of ${show(shape)}`,
    inputs: (random: RandomSource) => [normal(random, shape)],
    run: ([x]: readonly Tensor[]) => [pick(x, [...Array(axes - 1).fill(1), indices.length], indices)],
    tolerance: 0,
  })),
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 3, NaN], [4, 1])],
    run: ([x]) => [pick(x, [3], [3, 0, 2])],
    tolerance: 0,
    nan: [[0]],
  },
];

export const placeCases: Case[] = [
  ...picks.map(([shape, axes, indices]) => ({
    name: `${indices.length} among ${show(shape)}`,
    inputs: (random: RandomSource) => [
      normal(random, [...Array(axes - 1).fill(1), indices.length, ...shape.slice(axes)]),
    ],
    run: ([x]: readonly Tensor[]) => [place([x], shape.slice(0, axes), indices)],
    tolerance: 0,
  })),
  {
    name: "three parts",
    inputs: (random) => [normal(random, [2, 2, 3]), normal(random, [1, 3, 3]), normal(random, [2, 1, 3])],
    run: (parts) => [place(parts, [3, 5], [0, 1, 5, 6, 10, 11, 12, 2, 14])],
    tolerance: 0,
  },
  {
    name: "parts of which rows are left out",
    inputs: (random) => [normal(random, [3, 2]), normal(random, [2, 2]), normal(random, [1, 2])],
    run: (parts) => [place(parts, [4], [2, -1, 0, -1, -1, 1])],
    tolerance: 0,
  },
  {
    name: "steps that are left out",
    inputs: (random) => [normal(random, [2, 4, 3])],
    run: (parts) => [place(parts, [2, 4], [0, -1, 1, 2, -1, 4, -1, 6])],
    tolerance: 0,
  },
  {
    name: "NaN",
    inputs: () => [list([1, NaN], [2, 1]), list([NaN], [1, 1])],
    run: (parts) => [place(parts, [5], [3, 1, 0])],
    tolerance: 0,
    nan: [[0, 1]],
  },
];
