/** Cases of the LSTM recurrence. */
import { lstmRecurrence } from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { normal, type Numbers, numbers, show } from "../../helpers.ts";
import { type Case, timeSizes } from "../run_on_all.ts";

function lstmInputs(random: RandomSource, [batch, time, channels]: readonly number[], gates = 1): Numbers[] {
  return [
    normal(random, [batch, time, 4 * channels], gates),
    normal(random, [4 * channels, channels], 1 / Math.sqrt(channels)),
    normal(random, [batch, channels]),
    normal(random, [batch, channels]),
  ];
}

const recur: Case["run"] = ([gates, hiddenWeight, hidden, cell]) => {
  const { y, state } = lstmRecurrence(gates, hiddenWeight, { hidden, cell });
  return [y, state.hidden, state.cell];
};

/** With more than one step, large weights act as a switch that rounding may flip. */
const oneStep = (time: number) => time > 1 ? [1] : [];

export const lstmCases: Case[] = [
  ...[...timeSizes, [2, 3, 33], [1, 9, 5], [2, 0, 3]].map((sizes) => ({
    name: show(sizes),
    inputs: (random: RandomSource) => lstmInputs(random, sizes),
    run: recur,
    fixed: oneStep(sizes[1]),
  })),
  {
    name: "gates up to hundreds",
    inputs: (random) => lstmInputs(random, [2, 37, 7], 60),
    run: recur,
    fixed: oneStep(37),
  },
  {
    name: "NaN",
    // In the input gate of channel 0, at step 1 of 3 of the first sequence and at the last step of the second.
    inputs: () => [
      numbers([2, 3, 8], (i) => i === 8 || i === 40 ? NaN : 1),
      numbers([8, 2], () => 1),
      numbers([2, 2], () => 1),
      numbers([2, 2], () => 1),
    ],
    run: recur,
    nan: [[2, 4, 5, 10], [0, 1, 2], [0, 1, 2]],
  },
];
