/** The forward kernels without a recurrence over time: products, norms, elementwise, tokens. */
import { copyRows } from "../../../src/ops/batch/reference.ts";
import { crossEntropy } from "../../../src/ops/cross_entropy/reference.ts";
import * as elementwise from "../../../src/ops/elementwise/reference.ts";
import { embedding } from "../../../src/ops/embedding/reference.ts";
import { layerNorm } from "../../../src/ops/layer_norm/reference.ts";
import { linear } from "../../../src/ops/linear/reference.ts";
import { sample } from "../../../src/ops/sample/reference.ts";
import { lastStep, shiftTime } from "../../../src/ops/shift_time/reference.ts";
import { softmax } from "../../../src/ops/softmax/reference.ts";
import { builds, comparing, draws, out } from "./kernel_memory.ts";

const { normals, uniforms, integer } = draws(7);

/** Sizes at which vectors, blocks and their remainders start and end. */
const sizes = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 65, 127];

for (const { name: build, kernels } of builds) {
  const compare = comparing(kernels);

  Deno.test(`linear() of ${build} multiplies matrices of any size`, () => {
    for (const rows of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 18, 31, 65, 66]) {
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

  Deno.test(`linear() of ${build} sums rows longer than a block`, () => {
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

  Deno.test(`linear() of ${build} confines a NaN to its row and its column`, () => {
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

  Deno.test(`embedding() of ${build} copies rows, NaN for invalid ids`, () => {
    for (const channels of sizes) {
      const ids = Float32Array.of(0, 6, 3, 7, -1, 2.5, NaN, -0, Infinity, 1e30);
      compare("embedding", embedding, [
        ...[out(ids.length * channels), ids, normals(7 * channels), ids.length, 7, channels],
      ], 0);
    }
  });

  Deno.test(`layerNorm() of ${build} agrees with the reference, also far from zero`, () => {
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

  Deno.test(`shiftTime() and lastStep() of ${build} copy rows`, () => {
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

  Deno.test(`copyRows() of ${build} copies rows with strides`, () => {
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

  Deno.test(`crossEntropy() of ${build} ignores rows of weight 0`, () => {
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
                  topK === 4 ? Float32Array.of(2 ** 24) : null,
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
