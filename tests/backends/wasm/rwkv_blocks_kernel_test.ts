/** The kernel of whole blocks beside the references of their parts. */
import { scratch } from "../../../src/backends/wasm/scratch.ts";
import {
  add,
  mix,
  multiply,
  negativeExp,
  sigmoid,
  squaredRelu,
} from "../../../src/ops/elementwise/reference.ts";
import { layerNorm } from "../../../src/ops/layer_norm/reference.ts";
import { linear } from "../../../src/ops/linear/reference.ts";
import { lastStep, shiftTime } from "../../../src/ops/shift_time/reference.ts";
import { wkv } from "../../../src/ops/wkv/reference.ts";
import { randomSource } from "../../../src/random.ts";
import type { Floats } from "../../../src/tensor.ts";
import { builds, compare } from "./kernel_memory.ts";

/** The blocks of `rwkv_blocks.ts`, part by part; arguments as in `Kernels`. */
function rwkvBlocks(
  y: Floats,
  nextStates: readonly Floats[],
  weights: readonly Floats[],
  x: Floats,
  states: readonly Floats[],
  batch: number,
  time: number,
  channels: number,
  features: readonly number[],
  epsilon: number,
): void {
  features.forEach((count, i) => {
    rwkvBlock(
      y,
      nextStates.slice(3 * i, 3 * i + 3),
      weights.slice(18 * i, 18 * i + 18),
      x,
      states.slice(3 * i, 3 * i + 3),
      batch,
      time,
      channels,
      count,
      epsilon,
    );
    x = Float64Array.from(y);
  });
}

function rwkvBlock(
  y: Floats,
  [nextTimeShift, nextWkv, nextChannelShift]: readonly Floats[],
  weights: readonly Floats[],
  x: Floats,
  [timeShift, wkvState, channelShift]: readonly Floats[],
  batch: number,
  time: number,
  channels: number,
  features: number,
  epsilon: number,
): void {
  const [ln1Weight, ln1Bias, timeMixK, timeMixV, timeMixR, decay, bonus, ...more] = weights;
  const [timeKey, timeValue, timeReceptance, output, ln2Weight, ln2Bias, ...others] = more;
  const [channelMixK, channelMixR, channelKey, channelReceptance, channelValue] = others;
  const rows = batch * time, size = rows * channels;
  const make = (kernel: (y: Floats) => void, length = size): Float64Array => {
    const made = new Float64Array(length);
    kernel(made);
    return made;
  };
  const norm = (x: Floats, weight: Floats, bias: Floats) =>
    make((y) => layerNorm(y, x, weight, bias, rows, channels, epsilon));
  const before = (x: Floats, first: Floats) => make((y) => shiftTime(y, x, first, batch, time, channels));
  const mixed = (x: Floats, before: Floats, ratio: Floats) =>
    make((y) => mix(y, x, before, ratio, rows, channels));
  const product = (x: Floats, weight: Floats, outputs: number) =>
    make((y) => linear(y, x, weight, null, rows, x.length / rows, outputs), rows * outputs);
  const gated = (open: Floats, x: Floats) =>
    make((y) => multiply(y, make((y) => sigmoid(y, open, size)), x, size));

  const n1 = norm(x, ln1Weight, ln1Bias), past1 = before(n1, timeShift);
  const key = product(mixed(n1, past1, timeMixK), timeKey, channels);
  const value = product(mixed(n1, past1, timeMixV), timeValue, channels);
  const open = product(mixed(n1, past1, timeMixR), timeReceptance, channels);
  const w = make((y) => negativeExp(y, decay, channels), channels);
  const scan = make((y) => wkv(y, nextWkv, w, bonus, key, value, wkvState, batch, time, channels));
  const z = make((y) => add(y, x, product(gated(open, scan), output, channels), size));
  lastStep(nextTimeShift, n1, batch, time, channels);

  const n2 = norm(z, ln2Weight, ln2Bias), past2 = before(n2, channelShift);
  const up = product(mixed(n2, past2, channelMixK), channelKey, features);
  squaredRelu(up, up, up.length);
  const gate = product(mixed(n2, past2, channelMixR), channelReceptance, channels);
  add(y, z, gated(gate, product(up, channelValue, channels)), size);
  lastStep(nextChannelShift, n2, batch, time, channels);
}

for (const { name: build, kernels } of builds) {
  Deno.test(`rwkvBlocks() of ${build} agrees with the references of their parts at any size`, () => {
    const random = randomSource(11);
    const normals = (size: number, scale = 1) =>
      Float32Array.from({ length: size }, () => scale * random.normal());
    const uniforms = (size: number) => Float32Array.from({ length: size }, () => random.uniform());
    const out = (size: number) => ({ size });
    for (const [batch, time] of [[1, 1], [3, 1], [1, 2], [2, 5], [1, 16], [2, 17]]) {
      for (const channels of [1, 2, 3, 4, 5, 8, 13, 32, 38]) {
        for (const features of [[1], [7], [4 * channels], [5, 1], [3, 2 * channels, 9]]) {
          const square = () => normals(channels * channels, channels ** -0.5);
          const vector = () => normals(channels);
          const size = batch * time * channels, one = batch * channels;
          const weights = (features: number) => [
            ...[vector(), vector(), uniforms(channels), uniforms(channels), uniforms(channels)],
            ...[vector(), vector(), square(), square(), square(), square()],
            ...[vector(), vector(), uniforms(channels), uniforms(channels)],
            ...[normals(features * channels, channels ** -0.5), square()],
            ...[normals(channels * features, features ** -0.5)],
          ];
          const states = () => {
            const state = normals(4 * one);
            for (let i = 0; i < state.length; i++) {
              // Denominators and ages are never below 0.
              if (Math.floor(i / channels) % 2) state[i] = Math.abs(state[i]) + 0.5;
              if (Math.floor(i / channels) % 4 === 3) state[i] = Math.round(state[i]);
            }
            return [normals(one), state, normals(one)];
          };
          const most = Math.max(...features);
          const all = features.flatMap(weights), x = normals(size), before = features.flatMap(states);
          const kernelArguments = [
            out(size),
            features.flatMap(() => [out(one), out(4 * one), out(one)]),
            all,
            x,
            before,
            ...[batch, time, channels],
            features,
            1e-5,
            { scratch: scratch.rwkvBlocks(features.length, batch, time, channels, most) },
          ];
          compare(kernels, "rwkvBlocks", rwkvBlocks, kernelArguments, 1e-5);
        }
      }
    }
  });
}
