/** The forward kernels with a recurrence over time, one sequence after another. */
import { scratch } from "../../../src/backends/wasm/scratch.ts";
import { attention } from "../../../src/ops/attention/reference.ts";
import { lstmRecurrence } from "../../../src/ops/lstm/reference.ts";
import { rotary } from "../../../src/ops/rotary/reference.ts";
import { wkv } from "../../../src/ops/wkv/reference.ts";
import { type Argument, builds, comparing, draws, out } from "./kernel_memory.ts";

const { normals, uniform } = draws(7);

/** Sizes at which vectors, blocks and their remainders start and end. */
const sizes = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 65, 127];

for (const { name: build, kernels } of builds) {
  const compare = comparing(kernels);

  Deno.test(`wkv() of ${build} agrees with the reference, including its state`, () => {
    for (const batch of [1, 2]) {
      for (const time of [1, 2, 17]) {
        for (const channels of sizes) {
          const state = freshState(batch, channels);
          const args = wkvArguments(batch, time, channels, state, 1);
          compare("wkv", wkv, args);
          // A state from the middle of a sequence.
          compare("wkv", wkv, wkvArguments(batch, time, channels, kernels.run("wkv", args)[1], 1));
        }
      }
    }
  });

  Deno.test(`wkv() of ${build} stays within 2e-4 over 4096 steps where 2% of the keys are ±50`, () => {
    compare("wkv", wkv, wkvArguments(1, 4096, 16, freshState(1, 16), 0.02), 2e-4);
  });

  Deno.test(`wkv() of ${build} confines a NaN to its channel`, () => {
    const args = wkvArguments(1, 5, 6, freshState(1, 6), 0);
    (args[4] as Float32Array)[8] = NaN;
    compare("wkv", wkv, args);
  });

  Deno.test(`rotary() of ${build} agrees with the reference, also after a million steps`, () => {
    for (const [batch, time, heads, half] of [[1, 1, 1, 1], [1, 7, 4, 16], [2, 3, 3, 5], [3, 1, 2, 2]]) {
      const channels = 2 * heads * half;
      for (const position of [0, 5, 4095, 1_000_000]) {
        const x = normals(batch * time * channels);
        compare("rotary", rotary, [out(x.length), x, batch, time, channels, heads, position, 10_000], 1e-6);
      }
    }
  });

  Deno.test(`attention() of ${build} agrees with the reference for heads and lengths of any size`, () => {
    for (const size of [1, 2, 3, 4, 5, 8, 11, 16, 32, 33, 64]) {
      for (
        const [heads, queries, keys] of [[1, 1, 1], [2, 3, 3], [3, 1, 63], [1, 2, 64], [2, 5, 66], [
          1,
          1,
          257,
        ]]
      ) {
        for (const [batch, causal] of [[1, 1], [2, 1], [2, 0]]) {
          const channels = heads * size;
          compare("attention", attention, [
            ...[out(batch * queries * channels), normals(batch * queries * channels, 2)],
            ...[normals(batch * (keys + 3) * channels, 2), normals(batch * (keys + 1) * channels)],
            null,
            ...[batch, queries, keys, keys + 3, keys + 1, 0, channels, heads, causal],
          ]);
        }
      }
    }
  });

  Deno.test(`attention() of ${build} reads no key after the last, and confines NaN to its head`, () => {
    const [channels, keys, capacity] = [12, 70, 72];
    const key = normals(capacity * channels), value = normals(capacity * channels);
    key.fill(NaN, keys * channels);
    value.fill(NaN, keys * channels);
    key[5 * channels] = NaN;
    value[6 * channels + 7] = NaN;
    compare("attention", attention, [
      ...[out(2 * channels), normals(2 * channels, 2), key, value, null],
      ...[1, 2, keys, capacity, capacity, 0, channels, 3, 1],
    ]);
  });

  Deno.test(`lstmRecurrence() of ${build} agrees with the reference`, () => {
    for (const batch of [1, 2, 5]) {
      for (const time of [1, 2, 9]) {
        for (const channels of [...sizes.slice(0, 10), 38]) {
          const size = batch * channels;
          compare("lstmRecurrence", lstmRecurrence, [
            ...[out(size * time), out(size), out(size), normals(4 * size * time)],
            ...[normals(4 * channels * channels, channels ** -0.5), normals(size, 0.5), normals(size)],
            ...[batch, time, channels],
            { scratch: scratch.lstmRecurrence(batch, time, channels) },
          ]);
        }
      }
    }
  });
}

function freshState(batch: number, channels: number): Float32Array {
  const state = new Float32Array(4 * batch * channels);
  for (let b = 0; b < batch; b++) state.fill(-1e38, (4 * b + 2) * channels, (4 * b + 3) * channels);
  return state;
}

/** A share of the keys is ±50, the others are normally distributed. */
function wkvArguments(
  batch: number,
  time: number,
  channels: number,
  state: Float32Array,
  share: number,
): Argument[] {
  const size = batch * time * channels;
  const key = normals(size).map((k) => uniform() < share ? (uniform() < 0.5 ? 50 : -50) : k);
  const decay = normals(channels).map((value) => -Math.exp(value - 2));
  return [
    ...[out(size), out(state.length), decay, normals(channels), key, normals(size), state],
    ...[batch, time, channels],
  ];
}
