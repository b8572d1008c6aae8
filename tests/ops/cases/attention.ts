/** Cases of causal attention. */
import { appendTime, attention, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, type Numbers, show, uniform } from "../../helpers.ts";
import { type Case, steep } from "../run_on_all.ts";

const attentionSizes = [
  [1, 1, 1, 1, 1],
  [2, 3, 3, 6, 2],
  [1, 37, 37, 13, 1],
  [2, 1, 37, 21, 3],
  [3, 5, 9, 14, 7],
  [1, 130, 130, 8, 4],
  [1, 2, 130, 67, 1],
  [2, 17, 33, 36, 2],
  [1, 1, 129, 65, 5],
  [1, 9, 531, 22, 2],
];

function attentionInputs(
  random: RandomSource,
  [batch, time, seen, channels]: readonly number[],
  keys?: number,
): Numbers[] {
  const shape = [batch, seen, channels];
  const key = keys === undefined ? normal(random, shape) : uniform(random, shape, keys);
  return [normal(random, [batch, time, channels]), key, normal(random, shape)];
}

export const attentionCases: Case[] = [
  ...attentionSizes.map((sizes) => ({
    name: `${show(sizes.slice(0, 2))} of ${sizes[2]}, C ${sizes[3]}, ${sizes[4]} heads`,
    inputs: (random: RandomSource) => attentionInputs(random, sizes),
    run: ([query, key, value]: readonly Tensor[]) => [attention(query, key, value, sizes[4])],
  })),
  {
    name: "keys up to ±60",
    inputs: (random) => attentionInputs(random, [2, 13, 37, 21], 60),
    run: ([query, key, value]) => [attention(query, key, value, 3)],
    tolerance: steep,
  },
  {
    name: "caches with free capacity, both, and one of them",
    inputs: (random) => [
      ...attentionInputs(random, [3, 4, 5, 6]),
      ...attentionInputs(random, [3, 4, 2, 6]),
      normal(random, [3, 7, 6]),
    ],
    run: ([query, key, value, , nextKey, nextValue, packed]) => {
      const keys = appendTime(key, nextKey), values = appendTime(value, nextValue);
      return [
        attention(query, keys, values, 2),
        attention(query, keys, packed, 2),
        attention(query, packed, values, 2),
      ];
    },
  },
  {
    name: "NaN",
    // Three steps, two heads of two channels: NaN in query 0 of head 1, in key 1 of head 0, in channel 3 of value 2.
    inputs: () => [
      list([1, 1, 1, NaN, 1, 1, 1, 1, 1, 1, 1, 1], [1, 3, 4]),
      list([1, 1, 1, 1, NaN, 1, 1, 1, 1, 1, 1, 1], [1, 3, 4]),
      list([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, NaN], [1, 3, 4]),
    ],
    run: ([query, key, value]) => [attention(query, key, value, 2)],
    nan: [[2, 3, 4, 5, 8, 9, 11]],
  },
];
