/** Cases of the WKV scan. */
import { wkv } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, type Numbers, numbers, show, uniform } from "../../helpers.ts";
import { type Case, steep, timeSizes } from "../run_on_all.ts";

function wkvInputs(
  random: RandomSource,
  [batch, time, channels]: readonly number[],
  keys?: number,
): Numbers[] {
  const shape = [batch, time, channels];
  const starts = [
    () => random.normal(),
    () => 0.5 + random.uniform(),
    () => random.normal(),
    () => random.integer(9),
  ];
  return [
    numbers([channels], () => -Math.exp(2 * random.normal() - 2)),
    normal(random, [channels]),
    keys === undefined ? normal(random, shape) : uniform(random, shape, keys),
    normal(random, shape),
    numbers([batch, 4, channels], (i) => starts[Math.floor(i / channels) % 4]()),
  ];
}

/** decay, bonus, key, value and a state other than the initial one; decays from slow to fast. */
export function startedInputs(
  random: RandomSource,
  [batch, time, channels]: readonly number[],
  keyOf = random.normal,
): Numbers[] {
  const shape = [batch, time, channels];
  const starts = [
    random.normal,
    () => 0.5 + random.uniform(),
    random.normal,
    () => random.integer(9),
  ];
  return [
    numbers([channels], (c) => -Math.exp(-6 + 8 * c / channels)),
    normal(random, [channels]),
    numbers(shape, keyOf),
    normal(random, shape),
    numbers([batch, 4, channels], (i) => starts[Math.floor(i / channels) % 4]()),
  ];
}

const scan: Case["run"] = ([decay, bonus, key, value, start]) => {
  const { y, state } = wkv({ decay, bonus }, { key, value }, start);
  return [y, state];
};

/** Mean, and logarithm of the weight: the same sums with another anchor are the same state. */
export function wkvView([y, state]: readonly Float64Array[], [{ data: decay }]: readonly Numbers[]) {
  const channels = decay.length, size = state.length / 4;
  const row = (i: number, name: number) =>
    state[(Math.floor(i / channels) * 4 + name) * channels + i % channels];
  const mean = Float64Array.from({ length: size }, (_, i) => row(i, 0) / row(i, 1));
  const weight = Float64Array.from(
    { length: size },
    (_, i) => Math.log(row(i, 1)) + row(i, 2) + row(i, 3) * decay[i % channels],
  );
  return [y, mean, weight];
}

const fresh = (batch: number, channels: number) =>
  numbers([batch, 4, channels], (i) => Math.floor(i / channels) % 4 === 2 ? -1e38 : 0);

export const wkvCases: Case[] = [
  ...[...timeSizes, [1, 3, 129], [2, 5, 33]].flatMap((sizes) => [{
    name: show(sizes),
    inputs: (random: RandomSource) => wkvInputs(random, sizes),
    run: scan,
    fixed: [4],
    view: wkvView,
  }, {
    name: `${show(sizes)} from the initial state`,
    inputs: (random: RandomSource) => [...wkvInputs(random, sizes).slice(0, 4), fresh(sizes[0], sizes[2])],
    run: scan,
    fixed: [4],
    view: wkvView,
  }]),
  {
    name: "no step: the state is unchanged",
    inputs: (random) => wkvInputs(random, [2, 0, 5]),
    run: scan,
    fixed: [4],
    tolerance: 0,
  },
  {
    name: "no decay",
    inputs: (random) => [numbers([13], () => 0), ...startedInputs(random, [2, 130, 13]).slice(1)],
    run: scan,
    fixed: [4],
    view: wkvView,
  },
  {
    name: "keys up to ±60",
    inputs: (random) => wkvInputs(random, [2, 130, 13], 60),
    run: scan,
    fixed: [4],
    view: wkvView,
    tolerance: steep,
  },
  {
    name: "NaN",
    // Two channels, three steps: NaN in key 1 of channel 0, and in value 2 of channel 1.
    inputs: () => [
      list([-1, -1]),
      list([0, 0]),
      list([0, 0, NaN, 0, 0, 0], [1, 3, 2]),
      list([1, 1, 1, 1, 1, NaN], [1, 3, 2]),
      fresh(1, 2),
    ],
    run: scan,
    fixed: [4],
    view: wkvView,
    nan: [[2, 4, 5], [0, 1], [0]],
  },
  {
    name: "NaN in decay, bonus and state",
    inputs: () => [
      list([NaN, -1, -1]),
      list([0, NaN, 0]),
      list([0, 0, 0, 0, 0, 0], [1, 2, 3]),
      list([1, 1, 1, 1, 1, 1], [1, 2, 3]),
      list([1, 1, NaN, 1, 1, 1, 0, 0, 0, 1, 1, 1], [1, 4, 3]),
    ],
    run: scan,
    fixed: [4],
    view: wkvView,
    nan: [[0, 1, 2, 3, 4, 5], [0, 2], [0]],
  },
];
