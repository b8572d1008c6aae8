/** Cases of the loss. */
import { crossEntropy, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { integers, list, normal, numbers, show, uniform } from "../../helpers.ts";
import { type Case, steep } from "../run_on_all.ts";

export const crossEntropyCases: Case[] = [
  ...[[1, 1, 1], [1, 1, 2], [2, 37, 67], [3, 7, 129], [2, 130, 5]].flatMap(([batch, time, vocabulary]) => [{
    name: show([batch, time, vocabulary]),
    inputs: (random: RandomSource) => [
      normal(random, [batch, time, vocabulary], 3),
      integers(random, [batch, time], vocabulary),
    ],
    run: ([logits, targets]: readonly Tensor[]) => [crossEntropy(logits, targets)],
    constants: [1],
  }, {
    name: `${show([batch, time, vocabulary])}, weighted`,
    inputs: (random: RandomSource) => [
      normal(random, [batch, time, vocabulary], 3),
      integers(random, [batch, time], vocabulary),
      numbers([batch, time], () => 0.5 + random.uniform()),
    ],
    run: ([logits, targets, weights]: readonly Tensor[]) => [crossEntropy(logits, targets, weights)],
    constants: [1, 2],
  }]),
  {
    name: "logits up to ±60",
    inputs: (random) => [uniform(random, [2, 37, 13], 60), integers(random, [2, 37], 13)],
    run: ([logits, targets]) => [crossEntropy(logits, targets)],
    constants: [1],
    tolerance: steep,
  },
  {
    name: "-Infinity, of a target and not",
    inputs: () => [list([0, -Infinity, 0, 0, -Infinity, 0], [1, 2, 3])],
    run: ([logits]) => [crossEntropy(logits, [[0, 2]]), crossEntropy(logits, [[0, 1]])],
  },
  {
    name: "masked rows with any contents",
    inputs: () => [
      list([1, 2, NaN, 4, 5, Infinity, 7, 8], [1, 4, 2]),
      list([1, 0, 0, 9], [1, 4]),
      list([2, 0, 0, 0], [1, 4]),
    ],
    run: ([logits, targets, weights]) => [crossEntropy(logits, targets, weights)],
  },
  {
    name: "NaN: a logit, an invalid id, no weight at all",
    inputs: () => [
      list([1, 2, NaN, 4], [1, 2, 2]),
      list([1, 0], [1, 2]),
      list([1, 2, 3, 4], [1, 2, 2]),
      list([2, 1], [1, 2]),
      list([1, -1], [1, 2]),
      list([0, 0], [1, 2]),
    ],
    run: ([logits, targets, known, unknown, negative, weights]) => [
      crossEntropy(logits, targets),
      crossEntropy(known, unknown),
      crossEntropy(known, negative),
      crossEntropy(known, targets, weights),
      crossEntropy(known, targets),
    ],
    nan: [[0], [0], [0], [0], []],
  },
];
