/**
 * The kernels of gradients and of the optimiser without a recurrence over time: products, norms, elementwise, tokens.
 */
import type { Kernels } from "../../../src/backends/kernels.ts";
import { adamW } from "../../../src/ops/adam_w/reference.ts";
import { clipToNorm, norm } from "../../../src/ops/clip/reference.ts";
import { crossEntropyBackward } from "../../../src/ops/cross_entropy/reference.ts";
import * as elementwise from "../../../src/ops/elementwise/reference.ts";
import { embeddingBackward } from "../../../src/ops/embedding/reference.ts";
import { layerNormBackward } from "../../../src/ops/layer_norm/reference.ts";
import { linear, linearBackwardInput, linearBackwardWeight } from "../../../src/ops/linear/reference.ts";
import { rotaryBackward } from "../../../src/ops/rotary/reference.ts";
import { lastStepBackward, shiftTimeBackward } from "../../../src/ops/shift_time/reference.ts";
import { softmaxBackward } from "../../../src/ops/softmax/reference.ts";
import { assertSame } from "../../helpers.ts";
import { type Argument, builds, compare, draws, out } from "./kernel_memory.ts";

const { normals, uniforms, integer } = draws(9);

/** Sizes at which vectors, panels and their remainders start and end. */
const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 31, 64, 65, 127];

for (const { name: build, kernels } of builds) {
  const check = (
    name: keyof Kernels<number>,
    kernel: (...args: never[]) => void,
    args: readonly Argument[],
    tolerance = 1e-6,
  ) => compare(kernels, name, kernel, args, tolerance);

  // The single sum of an output may be small relative to its terms.
  const checkProducts = (rows: number, inputs: number, outputs: number) => {
    const [x, gy, weight] = [normals(rows * inputs), normals(rows * outputs), normals(outputs * inputs)];
    const bias = (rows + inputs + outputs) % 2 > 0;
    check("linear", linear, [
      ...[out(rows * outputs), x, weight, bias ? normals(outputs) : null, rows, inputs, outputs],
    ], 1e-4);
    check("linearBackwardInput", linearBackwardInput, [
      ...[out(rows * inputs), gy, weight, rows, inputs, outputs],
    ], 1e-4);
    check("linearBackwardWeight", linearBackwardWeight, [
      ...[out(outputs * inputs), bias ? out(outputs) : null, gy, x, rows, inputs, outputs],
    ], 1e-4);
  };

  Deno.test(`products of linear and of its gradients on ${build} are correct at any size`, () => {
    for (const rows of [0, 1, 2, 3, 5, 8, 15, 16, 17, 19, 33]) {
      for (const inputs of [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 33]) {
        for (const outputs of [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 33]) checkProducts(rows, inputs, outputs);
      }
    }
  });

  Deno.test(`products of linear and of its gradients on ${build} are correct beyond a block`, () => {
    // More than 256 terms of a sum, more columns than are packed at a time, more rows than are processed at a time.
    checkProducts(259, 38, 152);
    checkProducts(515, 261, 131);
    checkProducts(35, 1025, 12);
    checkProducts(19, 13, 2531);
    checkProducts(2051, 3, 5);
  });

  Deno.test(`products of linear and of its gradients on ${build} confine a NaN to its row and its column`, () => {
    const [rows, inputs, outputs] = [18, 7, 6];
    const x = normals(rows * inputs), gy = normals(rows * outputs), weight = normals(outputs * inputs);
    x[inputs * (rows - 1) + 6] = NaN;
    gy[outputs * 3 + 5] = NaN;
    weight[inputs * 4 + 2] = Infinity;
    const constants = [rows, inputs, outputs];
    check("linear", linear, [out(rows * outputs), x, weight, null, ...constants], 1e-5);
    check("linearBackwardInput", linearBackwardInput, [out(rows * inputs), gy, weight, ...constants], 1e-5);
    check("linearBackwardWeight", linearBackwardWeight, [
      ...[out(outputs * inputs), out(outputs), gy, x, ...constants],
    ], 1e-5);
  });

  Deno.test(`gradients of elementwise kernels on ${build} agree with the reference`, () => {
    for (const size of sizes) {
      const gy = normals(size), x = normals(size, 3);
      for (const name of ["sigmoid", "tanh", "squaredRelu", "gelu"] as const) {
        // For negative x, the slope of gelu is a small difference.
        const tolerance = name === "gelu" ? 5e-6 : 1e-6;
        check(`${name}Backward`, elementwise[`${name}Backward`], [out(size), gy, x, size], tolerance);
      }
      for (const rows of [0, 1, 2, 5]) {
        const [g, a, b] = [normals(rows * size), normals(rows * size), normals(rows * size)];
        check("mixBackward", elementwise.mixBackward, [
          ...[out(rows * size), out(rows * size), out(size), g, a, b, uniforms(size), rows, size],
        ]);
      }
    }
  });

  Deno.test(`gradients of elementwise kernels on ${build} keep NaN, and are 0 where a function is constant`, () => {
    for (const name of ["sigmoid", "tanh", "squaredRelu", "gelu"] as const) {
      const x = Float32Array.of(NaN, 0, -0, 1e-40, 30, -30, 1, 200, -200);
      const gy = Float32Array.of(1, NaN, 1, 1, 1, 1, -2, 1, 1);
      check(`${name}Backward`, elementwise[`${name}Backward`], [out(x.length), gy, x, x.length]);
      // Single elements, so that no error is hidden by a larger neighbour.
      for (const value of [12, -12, 3, -2, 0.01]) {
        const tolerance = name === "gelu" ? 2e-5 : 1e-6;
        if (name === "gelu" && value < -10) continue;
        check(`${name}Backward`, elementwise[`${name}Backward`], [
          ...[out(1), Float32Array.of(0.7), Float32Array.of(value), 1],
        ], tolerance);
      }
    }
  });

  Deno.test(`geluBackward() of ${build} is 0 or 1 far from zero`, () => {
    const x = Float32Array.of(15, -15, 1e13, -1e13, 1e19, -1e19, 3e38, -3e38, NaN);
    const gy = x.map((_, i) => 1 - i / 4);
    check("geluBackward", elementwise.geluBackward, [out(x.length), gy, x, x.length], 1e-7);
  });

  Deno.test(`layerNormBackward() of ${build} agrees with the reference, also far from zero`, () => {
    for (const rows of [0, 1, 2, 5]) {
      for (const channels of sizes.slice(2)) {
        for (const offset of [0, 1000]) {
          const x = normals(rows * channels).map((value) => value + offset);
          check("layerNormBackward", layerNormBackward, [
            ...[out(x.length), out(channels), out(channels), normals(x.length), x, normals(channels)],
            ...[rows, channels, 1e-5],
          ], 1e-5);
        }
      }
    }
  });

  Deno.test(`embeddingBackward() of ${build} sums the rows of each id`, () => {
    for (const channels of sizes) {
      const ids = Float32Array.of(0, 6, 3, 7, -1, 2.5, NaN, -0, Infinity, 1e30, 3, 3);
      check("embeddingBackward", embeddingBackward, [
        ...[out(7 * channels), normals(ids.length * channels), ids, ids.length, 7, channels],
      ]);
    }
  });

  Deno.test(`softmaxBackward() of ${build} agrees with the reference`, () => {
    for (const rows of [1, 2, 5]) {
      for (const channels of sizes) {
        const y = uniforms(rows * channels).map((value) => value / channels);
        check("softmaxBackward", softmaxBackward, [out(y.length), normals(y.length), y, rows, channels]);
      }
    }
  });

  Deno.test(`shiftTimeBackward() and lastStepBackward() of ${build} copy rows`, () => {
    for (const batch of [1, 3]) {
      for (const time of [0, 1, 2, 5]) {
        for (const channels of [...sizes, 1500]) {
          const gy = normals(batch * time * channels), constants = [batch, time, channels];
          check("shiftTimeBackward", shiftTimeBackward, [
            ...[out(gy.length), out(batch * channels), gy, ...constants],
          ], 0);
          if (time === 0) continue;
          check("lastStepBackward", lastStepBackward, [
            ...[out(gy.length), normals(batch * channels), ...constants],
          ], 0);
        }
      }
    }
  });

  Deno.test(`rotaryBackward() of ${build} agrees with the reference, also after a million steps`, () => {
    for (const [batch, time, heads, half] of [[1, 1, 1, 1], [1, 7, 4, 16], [2, 3, 3, 5], [3, 1, 2, 2]]) {
      const channels = 2 * heads * half;
      for (const position of [0, 5, 1_000_000]) {
        const gy = normals(batch * time * channels);
        check("rotaryBackward", rotaryBackward, [
          ...[out(gy.length), gy, batch, time, channels, heads, position, 10_000],
        ]);
      }
    }
  });

  Deno.test(`crossEntropyBackward() of ${build} agrees with the reference, also for nearly certain targets`, () => {
    for (const vocabulary of sizes) {
      for (const rows of [1, 3, 50]) {
        for (const spread of [0.1, 4, 20]) {
          const logits = normals(rows * vocabulary, spread);
          const targets = Float32Array.from({ length: rows }, () => integer(vocabulary));
          for (const weights of [null, uniforms(rows)]) {
            check("crossEntropyBackward", crossEntropyBackward, [
              ...[out(logits.length), Float32Array.of(1.5), logits, targets, weights, rows, vocabulary],
            ], 1e-5);
          }
        }
      }
    }
    check("crossEntropyBackward", crossEntropyBackward, [
      ...[out(5), Float32Array.of(1), Float32Array.of(30, -30, -31, -29, 1), Float32Array.of(0), null, 1, 5],
    ], 1e-5);
  });

  Deno.test(`crossEntropyBackward() of ${build} ignores rows of weight 0`, () => {
    const logits = Float32Array.of(1, 2, 3, NaN, 1, 2, 4, 0, 1);
    for (
      const [targets, weights] of [
        ...[[[0, 1, 2], [1, 0, 2]], [[0, -1, 2], [1, 0, 2]], [[0, 1, 3], [1, 0, 2]], [[0, 1, 2], [0, 0, 0]]],
        ...[[[0, 1, 2], [1, 1, 2]]],
      ]
    ) {
      check("crossEntropyBackward", crossEntropyBackward, [
        ...[out(9), Float32Array.of(1), logits, Float32Array.from(targets), Float32Array.from(weights), 3, 3],
      ]);
    }
  });

  const rate = Float32Array.of(0.02),
    third = Float32Array.of(3),
    adamWConstants = [0.5, 0.9, 0.95, 1e-8, 0.1];

  Deno.test(`adamW() of ${build} agrees with the reference`, () => {
    for (const size of sizes) {
      check("adamW", adamW, [
        ...[out(size), out(size), out(size), { inPlace: new Float32Array(2) }, ...moments(size), rate, third],
        ...[size, 1, ...adamWConstants],
      ]);
    }
  });

  Deno.test(`adamW() of ${build} gives an element the same bits at any position`, () => {
    const inputs = moments(37);
    const step = (parts: Float32Array[]) => {
      const [{ length }] = parts;
      return kernels.run("adamW", [
        ...[out(length), out(length), out(length), { inPlace: new Float32Array(1) }, ...parts, rate, third],
        ...[length, 0, ...adamWConstants],
      ]).slice(0, 3);
    };
    const whole = step(inputs);
    for (let start = 1; start < 37; start++) {
      const parts = step(inputs.map((input) => input.slice(start)));
      parts.forEach((part, i) => assertSame(part, whole[i].slice(start), `output ${i} from ${start} on`));
    }
  });

  Deno.test(`norm() of ${build} is exact in single precision for millions of elements`, () => {
    for (const size of [0, ...sizes, 3_000_001]) {
      check("norm", norm, [{ inPlace: Float32Array.of(1, 2, 3) }, normals(size), size, 1, 0.25], 6e-8);
    }
    // In single precision, terms added to the large first square would be lost.
    const x = new Float32Array(1_000_001).fill(1e-2);
    x[0] = 1000;
    check("norm", norm, [out(1), x, x.length, 0, 1], 6e-8);
    check("norm", norm, [out(1), Float32Array.of(1, 2, 3, 4, 5, 6, NaN), 7, 0, 1]);
  });

  Deno.test(`clipToNorm() of ${build} agrees with the reference`, () => {
    for (const size of sizes) {
      for (const norm of [0, 1e-7, 0.5, 2, 100, NaN]) {
        check(
          "clipToNorm",
          clipToNorm,
          [out(size), normals(size), Float32Array.of(norm), size, 1.5, 1],
          2e-7,
        );
      }
    }
  });
}

/** A parameter, its gradient, its mean and its variance. */
function moments(size: number): Float32Array[] {
  return [normals(size), normals(size), normals(size), uniforms(size)];
}
