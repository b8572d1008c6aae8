/** Cases of attention. */
import { appendTime, attention, type Tensor } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, type Numbers, numbers, show, uniform } from "../../helpers.ts";
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

/** A mask that hides about half of the keys. */
function halfHidden(random: RandomSource, batch: number, seen: number): Numbers {
  return numbers([batch, seen], () => Number(random.uniform() < 0.5));
}

const masked = ([query, key, value, mask]: readonly Tensor[], heads: number) => [
  attention(query, key, value, heads, { mask }),
];

export const maskedAttentionCases: Case[] = [
  ...attentionSizes.map((sizes) => ({
    name: `${show(sizes.slice(0, 2))} of ${sizes[2]}, C ${sizes[3]}, ${sizes[4]} heads`,
    inputs: (random: RandomSource) => [
      ...attentionInputs(random, sizes),
      halfHidden(random, sizes[0], sizes[2]),
    ],
    run: (inputs: readonly Tensor[]) => masked(inputs, sizes[4]),
    constants: [3],
  })),
  // Padding on the left and on the right, none, and nothing but it: of few queries, of many, and of many keys.
  ...[[4, 3, 7, 6], [4, 20, 20, 9], [4, 2, 300, 8], [4, 1, 1, 1]].map(([batch, time, seen, channels]) => ({
    name: `padding of ${time} of ${seen}`,
    inputs: (random: RandomSource) => [
      ...attentionInputs(random, [batch, time, seen, channels]),
      numbers([batch, seen], (i) => {
        const j = i % seen;
        return [Number(j >= seen - 2), Number(j < seen - 1), 1, 0][Math.floor(i / seen)];
      }),
    ],
    run: (inputs: readonly Tensor[]) => masked(inputs, 1),
    constants: [3],
  })),
  {
    name: "caches with room behind each sequence",
    inputs: (random) => [
      ...attentionInputs(random, [3, 4, 5, 6]),
      ...attentionInputs(random, [3, 4, 2, 6]),
      halfHidden(random, 3, 7),
    ],
    run: ([query, key, value, , nextKey, nextValue, mask]) =>
      masked([query, appendTime(key, nextKey), appendTime(value, nextValue), mask], 2),
    constants: [6],
  },
  {
    name: "keys up to ±60",
    inputs: (random) => [...attentionInputs(random, [2, 13, 37, 21], 60), halfHidden(random, 2, 37)],
    run: (inputs) => masked(inputs, 3),
    tolerance: steep,
    constants: [3],
  },
  ...[1, 6].map((time): Case => ({
    name: `NaN and infinity in keys and values of ${time} queries that are hidden, and in one that is not`,
    inputs: (random) => {
      const [query, key, value] = attentionInputs(random, [2, time, 7, 4]);
      key.data.fill(NaN, 4, 8), value.data.fill(NaN, 4, 8);
      key.data.fill(Infinity, 8, 12), value.data.fill(-Infinity, 8, 12);
      value.data[28 + 1] = NaN;
      return [query, key, value, list([1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0], [2, 7])];
    },
    run: (inputs) => masked(inputs, 1),
    nan: [Array.from({ length: time }, (_, i) => 4 * (time + i) + 1)],
    constants: [3],
  })),
];

/** B, T, S, C and heads. */
const wholeSizes = [
  [1, 1, 1, 2, 1],
  [2, 3, 3, 6, 2],
  [2, 37, 37, 13, 1],
  [1, 5, 4, 6, 3],
  [2, 7, 131, 14, 7],
  [1, 130, 67, 8, 4],
  [2, 1, 300, 21, 3],
  [3, 17, 3, 36, 2],
  [1, 9, 531, 22, 2],
  [2, 3, 0, 4, 2],
  [2, 17, 0, 9, 1],
];

const whole = ([query, key, value, mask]: readonly Tensor[], heads: number) => [
  attention(query, key, value, heads, { causal: false, mask }),
];

export const wholeAttentionCases: Case[] = [
  ...wholeSizes.flatMap((sizes) =>
    [false, true].map((isMasked): Case => ({
      name: `${show(sizes.slice(0, 2))} of ${sizes[2]}, C ${sizes[3]}, ${sizes[4]} heads${
        isMasked ? ", with a mask" : ""
      }`,
      inputs: (random) => [
        ...attentionInputs(random, sizes),
        ...isMasked ? [halfHidden(random, sizes[0], sizes[2])] : [],
      ],
      run: (inputs) => whole(inputs, sizes[4]),
      constants: [3],
    }))
  ),
  {
    name: "caches with room behind each sequence",
    inputs: (random) => [
      ...attentionInputs(random, [3, 9, 5, 6]),
      ...attentionInputs(random, [3, 4, 2, 6]),
      halfHidden(random, 3, 7),
    ],
    run: ([query, key, value, , nextKey, nextValue, mask]) => {
      const keys = appendTime(key, nextKey), values = appendTime(value, nextValue);
      return [...whole([query, keys, values], 2), ...whole([query, keys, values, mask], 2)];
    },
    constants: [6],
  },
  {
    name: "keys up to ±60",
    inputs: (random) => attentionInputs(random, [2, 37, 13, 21], 60),
    run: (inputs) => whole(inputs, 3),
    tolerance: steep,
  },
  // Two heads of two channels: NaN in query 0 of head 1, in the last key of head 0, in channel 3 of the last value.
  ...[1, 3, 6].map((time): Case => ({
    name: `NaN, of ${time} queries and 3 keys`,
    inputs: (random) => {
      const [query, key, value] = attentionInputs(random, [1, time, 3, 4]);
      query.data[3] = NaN, key.data[8] = NaN, value.data[11] = NaN;
      return [query, key, value];
    },
    run: (inputs) => whole(inputs, 2),
    nan: [Array.from({ length: 4 * time }, (_, i) => i).filter((i) => i === 2 || [0, 1, 3].includes(i % 4))],
  })),
  ...[1, 9].map((time): Case => ({
    name: `NaN and infinity in keys and values of ${time} queries that are hidden, and in one that is not`,
    inputs: (random) => {
      const [query, key, value] = attentionInputs(random, [2, time, 7, 4]);
      key.data.fill(NaN, 4, 8), value.data.fill(NaN, 4, 8);
      key.data.fill(Infinity, 24, 28), value.data.fill(-Infinity, 24, 28);
      value.data[28 + 1] = NaN;
      return [query, key, value, list([1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0], [2, 7])];
    },
    run: (inputs) => whole(inputs, 1),
    nan: [Array.from({ length: time }, (_, i) => 4 * (time + i) + 1)],
    constants: [3],
  })),
];
