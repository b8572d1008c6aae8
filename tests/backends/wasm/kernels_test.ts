import type { Kernels } from "../../../src/backends/kernels.ts";
import { attention } from "../../../src/ops/attention/reference.ts";
import { copyRows } from "../../../src/ops/batch/reference.ts";
import { crossEntropy } from "../../../src/ops/cross_entropy/reference.ts";
import * as elementwise from "../../../src/ops/elementwise/reference.ts";
import { embedding } from "../../../src/ops/embedding/reference.ts";
import { layerNorm } from "../../../src/ops/layer_norm/reference.ts";
import { linear } from "../../../src/ops/linear/reference.ts";
import { lstmRecurrence } from "../../../src/ops/lstm/reference.ts";
import { rotary } from "../../../src/ops/rotary/reference.ts";
import { sample } from "../../../src/ops/sample/reference.ts";
import { lastStep, shiftTime } from "../../../src/ops/shift_time/reference.ts";
import { softmax } from "../../../src/ops/softmax/reference.ts";
import { wkv } from "../../../src/ops/wkv/reference.ts";
import { randomSource } from "../../../src/random.ts";
import { type Argument, builds, compare as compareKernels } from "./kernel_memory.ts";

const { normal, uniform, integer } = randomSource(7);

/** Sizes at which vectors, blocks and their remainders begin and end. */
const sizes = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 65, 127];

for (const { name: build, kernels } of builds) {
  const compare = (
    name: keyof Kernels<number>,
    kernel: (...args: never[]) => void,
    args: Argument[],
    tolerance = 1e-5,
  ) => compareKernels(kernels, name, kernel, args, tolerance);

  Deno.test(`linear() of ${build} multiplies matrices of any size`, () => {
    for (const rows of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 31, 65]) {
      for (const inputs of [1, 2, 3, 4, 5, 7, 8, 31, 33, 127, 128]) {
        for (const outputs of [1, 2, 3, 4, 5, 7, 8, 11, 16, 33]) {
          const bias = (rows + inputs + outputs) % 2 ? normals(outputs) : null;
          compare("linear", linear, [
            ...[out(rows * outputs), normals(rows * inputs), normals(outputs * inputs), bias],
            ...[rows, inputs, outputs],
          ]);
        }
      }
    }
  });

  Deno.test(`linear() of ${build} adds up rows longer than a block`, () => {
    for (
      const [rows, inputs, outputs] of [[1, 5003, 9], [3, 1031, 6], [11, 2053, 7], [37, 4099, 5], [
        130,
        513,
        67,
      ]]
    ) {
      compare("linear", linear, [
        ...[out(rows * outputs), normals(rows * inputs), normals(outputs * inputs), normals(outputs)],
        ...[rows, inputs, outputs],
      ]);
    }
  });

  Deno.test(`linear() of ${build} keeps a NaN in its row and its column`, () => {
    for (const rows of [1, 3, 4, 13]) {
      const [inputs, outputs] = [7, 6];
      const x = normals(rows * inputs), weight = normals(outputs * inputs);
      x[inputs * (rows - 1) + 6] = NaN;
      weight[inputs * 4 + 2] = Infinity;
      compare("linear", linear, [out(rows * outputs), x, weight, null, rows, inputs, outputs]);
    }
  });

  Deno.test(`elementwise kernels of ${build} agree with the reference`, () => {
    for (const size of sizes) {
      const x = normals(size, 3), y = normals(size, 3);
      for (const name of ["add", "multiply"] as const) {
        compare(name, elementwise[name], [out(size), x, y, size]);
      }
      for (const name of ["sigmoid", "tanh", "squaredRelu", "gelu", "negativeExp"] as const) {
        compare(name, elementwise[name], [out(size), x, size], 1e-6);
      }
      for (const rows of [1, 2, 5]) {
        const [a, b] = [normals(rows * size), normals(rows * size)];
        compare("mix", elementwise.mix, [out(rows * size), a, b, uniforms(size), rows, size]);
      }
    }
  });

  Deno.test(`elementwise kernels of ${build} keep NaN and infinities`, () => {
    const x = Float32Array.of(NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 3e38, -3e38, 200, -200);
    for (const name of ["sigmoid", "tanh", "squaredRelu", "negativeExp"] as const) {
      const round: (y: Float64Array, x: Float64Array, size: number) => void = (y, x, size) => {
        elementwise[name](y, x, size);
        y.set(Float32Array.from(y));
      };
      compare(name, round, [out(x.length), x, x.length], 1e-37);
    }
    compare("gelu", elementwise.gelu, [out(6), Float32Array.of(NaN, Infinity, 0, 90, -90, -Infinity), 6]);
  });

  Deno.test(`embedding() of ${build} copies rows, NaN for what is no id`, () => {
    for (const channels of sizes) {
      const ids = Float32Array.of(0, 6, 3, 7, -1, 2.5, NaN, -0, Infinity, 1e30);
      compare("embedding", embedding, [
        ...[out(ids.length * channels), ids, normals(7 * channels), ids.length, 7, channels],
      ], 0);
    }
  });

  Deno.test(`layerNorm() of ${build} agrees with the reference, far from zero too`, () => {
    for (const rows of [1, 2, 5]) {
      for (const channels of sizes) {
        for (const offset of [0, 1000]) {
          const x = normals(rows * channels).map((value) => value + offset);
          compare("layerNorm", layerNorm, [
            ...[out(rows * channels), x, normals(channels), normals(channels), rows, channels, 1e-5],
          ], 2e-6);
        }
      }
    }
  });

  Deno.test(`softmax() of ${build} agrees with the reference`, () => {
    for (const rows of [1, 2, 5]) {
      for (const channels of sizes) {
        compare(
          "softmax",
          softmax,
          [out(rows * channels), normals(rows * channels, 5), rows, channels],
          1e-6,
        );
      }
    }
    const x = Float32Array.of(NaN, 1, 2, 3, 4, -Infinity, 0, 1, 2, 3, ...Array(5).fill(-Infinity));
    compare("softmax", softmax, [out(15), x, 3, 5]);
  });

  Deno.test(`shiftTime() and lastStep() of ${build} move rows`, () => {
    for (const batch of [1, 3]) {
      for (const time of [1, 2, 5]) {
        for (const channels of [...sizes, 1500]) {
          const x = normals(batch * time * channels);
          const first = normals(batch * channels);
          compare("shiftTime", shiftTime, [out(x.length), x, first, batch, time, channels], 0);
          compare("lastStep", lastStep, [out(first.length), x, batch, time, channels], 0);
        }
      }
    }
  });

  Deno.test(`copyRows() of ${build} copies rows between strides`, () => {
    for (const width of [1, 2, 3, 4, 7, 130, 1300]) {
      compare("copyRows", copyRows, [out(width), 0, width, normals(3 * width + 2), 2, 0, 1, width], 0);
      compare("copyRows", copyRows, [
        out(4 * width),
        0,
        width,
        normals(4 * width + 9),
        0,
        width + 3,
        4,
        width,
      ], 0);
    }
  });

  Deno.test(`wkv() of ${build} agrees with the reference, its state included`, () => {
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

  Deno.test(`wkv() of ${build} keeps a NaN in its channel`, () => {
    const args = wkvArguments(1, 5, 6, freshState(1, 6), 0);
    (args[4] as Float32Array)[8] = NaN;
    compare("wkv", wkv, args);
  });

  Deno.test(`rotary() of ${build} agrees with the reference, a million steps on too`, () => {
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
        for (const batch of [1, 2]) {
          const channels = heads * size;
          compare("attention", attention, [
            ...[out(batch * queries * channels), normals(batch * queries * channels, 2)],
            ...[normals(batch * (keys + 3) * channels, 2), normals(batch * (keys + 1) * channels)],
            ...[batch, queries, keys, keys + 3, keys + 1, channels, heads],
          ]);
        }
      }
    }
  });

  Deno.test(`attention() of ${build} reads no key past the last, and keeps NaN in its head`, () => {
    const [channels, keys, capacity] = [12, 70, 72];
    const key = normals(capacity * channels), value = normals(capacity * channels);
    key.fill(NaN, keys * channels);
    value.fill(NaN, keys * channels);
    key[5 * channels] = NaN;
    value[6 * channels + 7] = NaN;
    compare("attention", attention, [
      ...[
        out(2 * channels),
        normals(2 * channels, 2),
        key,
        value,
        1,
        2,
        keys,
        capacity,
        capacity,
        channels,
        3,
      ],
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
          ]);
        }
      }
    }
  });

  Deno.test(`crossEntropy() of ${build} agrees with the reference`, () => {
    for (const vocabulary of sizes) {
      for (const rows of [1, 3, 50]) {
        const logits = normals(rows * vocabulary, 4);
        const targets = Float32Array.from({ length: rows }, () => integer(vocabulary));
        const weights = uniforms(rows);
        compare("crossEntropy", crossEntropy, [out(1), logits, targets, null, rows, vocabulary], 1e-6);
        compare("crossEntropy", crossEntropy, [out(1), logits, targets, weights, rows, vocabulary], 1e-6);
      }
    }
  });

  Deno.test(`crossEntropy() of ${build} looks at no row of weight 0`, () => {
    const logits = Float32Array.of(1, 2, 3, NaN, 1, 2, 4, 0, 1);
    for (
      const [targets, weights] of [[[0, 1, 2], [1, 0, 2]], [[0, -1, 2], [1, 0, 2]], [[0, 1, 3], [1, 0, 2]]]
    ) {
      compare("crossEntropy", crossEntropy, [
        ...[out(1), logits, Float32Array.from(targets), Float32Array.from(weights), 3, 3],
      ], 1e-6);
    }
    compare("crossEntropy", crossEntropy, [out(1), logits, Float32Array.of(0, 1, 2), null, 3, 3]);
  });

  Deno.test(`sample() of ${build} draws the ids of the reference`, () => {
    for (const vocabulary of [1, 2, 5, 64, 257]) {
      const rows = 40;
      for (const spread of [0, 0.3, 5]) {
        const logits = normals(rows * vocabulary, spread);
        // Ties, infinities, zeros of both signs, and a row with a NaN.
        for (let i = 0; i < logits.length; i += 7) logits[i] = Math.round(logits[i]);
        for (let i = 3; i < logits.length; i += 31) logits[i] = -Infinity;
        for (let i = 5; i < logits.length; i += 11) logits[i] = i % 2 ? 0 : -0;
        logits[logits.length - 1] = NaN;
        for (const temperature of [0, 0.1, 0.7, 1, 1.9]) {
          for (const topK of [0, 1, 4, 1000]) {
            for (const topP of [0.01, 0.5, 0.9, 1]) {
              compare("sample", sample, [
                ...[
                  out(rows),
                  logits,
                  rows,
                  vocabulary,
                  temperature,
                  topK,
                  topP,
                  2 ** 32 - 5,
                  topK + vocabulary,
                ],
              ], 0);
            }
          }
        }
      }
    }
  });
}

function out(size: number): { size: number } {
  return { size };
}

function normals(size: number, scale = 1): Float32Array {
  return Float32Array.from({ length: size }, () => scale * normal());
}

function uniforms(size: number): Float32Array {
  return Float32Array.from({ length: size }, () => uniform());
}

function freshState(batch: number, channels: number): Float32Array {
  const state = new Float32Array(4 * batch * channels);
  for (let b = 0; b < batch; b++) state.fill(-1e38, (4 * b + 2) * channels, (4 * b + 3) * channels);
  return state;
}

/** A share of the keys are ±50, the others normal. */
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
