/**
 * The shaders of the gradients by themselves: sums over more rows than a software driver allows in a loop, memory
 * that was full of NaN before, and NaN in the inputs. `gradients_test.ts` runs the shared cases.
 */
import { assertEquals } from "@std/assert";
import * as adamWReference from "../../src/ops/adam_w/reference.ts";
import { adamW } from "../../src/ops/adam_w/shader.ts";
import * as clipReference from "../../src/ops/clip/reference.ts";
import { clipToNorm, norm } from "../../src/ops/clip/shader.ts";
import * as crossEntropyReference from "../../src/ops/cross_entropy/reference.ts";
import { crossEntropyBackward } from "../../src/ops/cross_entropy/shader.ts";
import * as elementwiseReference from "../../src/ops/elementwise/reference.ts";
import * as elementwise from "../../src/ops/elementwise/shader.ts";
import * as embeddingReference from "../../src/ops/embedding/reference.ts";
import { embeddingBackward } from "../../src/ops/embedding/shader.ts";
import * as layerNormReference from "../../src/ops/layer_norm/reference.ts";
import { layerNormBackward } from "../../src/ops/layer_norm/shader.ts";
import * as linearReference from "../../src/ops/linear/reference.ts";
import { linearBackwardInput, linearBackwardWeight } from "../../src/ops/linear/shader.ts";
import * as rotaryReference from "../../src/ops/rotary/reference.ts";
import { rotaryBackward } from "../../src/ops/rotary/shader.ts";
import * as shiftTimeReference from "../../src/ops/shift_time/reference.ts";
import { lastStepBackward, shiftTimeBackward } from "../../src/ops/shift_time/shader.ts";
import * as softmaxReference from "../../src/ops/softmax/reference.ts";
import { softmaxBackward } from "../../src/ops/softmax/shader.ts";
import { randomSource } from "../../src/random.ts";
import { requestDevice, testOnGpu } from "../backends/webgpu/gpu.ts";
import { type Argument, inPlace, out, ShaderBench } from "../backends/webgpu/shader_bench.ts";

const random = randomSource(11);

function normals(size: number, scale = 1): Float32Array {
  return Float32Array.from({ length: size }, () => scale * random.normal());
}

function ids(size: number, vocabulary: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.integer(vocabulary));
}

/** A test of kernels and their references. */
function testShaders(name: string, body: (bench: ShaderBench) => Promise<void>, limits = {}): void {
  testOnGpu(`${name} on webgpu`, async () => {
    const device = await requestDevice();
    using bench = new ShaderBench(device, limits);
    await body(bench);
  });
}

/** Numbers of rows around the limits of one part of a sum, of a single part, and of one loop. */
const manyRows = [1, 127, 129, 1025, 70_001];

async function compareLinear(bench: ShaderBench, rows: number, inputs: number, outputs: number) {
  const gy = normals(rows * outputs), x = normals(rows * inputs), weight = normals(outputs * inputs);
  const sizes = [rows, inputs, outputs];
  await bench.compare(
    linearBackwardInput,
    linearReference.linearBackwardInput,
    [out(rows * inputs), gy, weight, ...sizes],
  );
  for (const bias of [null, out(outputs)]) {
    const args: Argument[] = [out(outputs * inputs), bias, gy, x, ...sizes];
    await bench.compare(linearBackwardWeight, linearReference.linearBackwardWeight, args);
  }
}

testShaders("linearBackwardInput() and linearBackwardWeight() sum any number of rows", async (bench) => {
  for (const rows of manyRows) await compareLinear(bench, rows, 3, 2);
  for (const rows of [0, 1, 63, 65, 300, 1000]) await compareLinear(bench, rows, 67, 130);
  // More outputs than one dispatch sums.
  await compareLinear(bench, 2, 3, 70_001);
});

testShaders("layerNormBackward() and mixBackward() sum any number of rows", async (bench) => {
  for (const rows of manyRows) {
    for (const channels of rows < 2000 ? [1, 5, 33, 130] : [3]) {
      const [gy, x, before] = [1, 2, 3].map(() => normals(rows * channels));
      const one = out(rows * channels), sum = out(channels), weight = normals(channels);
      await bench.compare(
        layerNormBackward,
        layerNormReference.layerNormBackward,
        [one, sum, sum, gy, x, weight, rows, channels, 1e-2],
      );
      await bench.compare(
        elementwise.mixBackward,
        elementwiseReference.mixBackward,
        [one, one, sum, gy, x, before, weight, rows, channels],
      );
    }
  }
});

async function compareEmbedding(
  bench: ShaderBench,
  ids: Float32Array,
  vocabulary: number,
  channels: number,
): Promise<void> {
  const count = ids.length, gy = normals(count * channels);
  await bench.compare(
    embeddingBackward,
    embeddingReference.embeddingBackward,
    [out(vocabulary * channels), gy, ids, count, vocabulary, channels],
  );
}

testShaders("embeddingBackward() sums any number of occurrences", async (bench) => {
  for (
    const [count, vocabulary, channels] of [[1, 1, 1], [255, 3, 33], [257, 70, 65], [1000, 5, 1], [
      70_001,
      1,
      1,
    ], [70_001, 7, 33]]
  ) {
    await compareEmbedding(bench, ids(count, vocabulary), vocabulary, channels);
  }
  // More occurrences of one id than a loop handles, in a table that is large enough to fill a GPU without parts.
  await compareEmbedding(bench, new Float32Array(600_000).fill(7), 300, 1);
});

testShaders("embeddingBackward() confines NaN to its row, and ignores invalid ids", async (bench) => {
  const gy = normals(24);
  gy[8] = NaN;
  await bench.compare(
    embeddingBackward,
    embeddingReference.embeddingBackward,
    [out(10), gy, Float32Array.of(0, 1, NaN, -1, 4, 5, 0.5, Infinity, -0, 1, 1, 0), 12, 5, 2],
  );
});

testShaders("norm() and clipToNorm() handle any size, and return NaN for NaN", async (bench) => {
  for (const size of [0, 1, 255, 257, 4097, 32_769, 70_001, 5_000_000]) {
    const x = normals(size);
    for (const scale of [1, 2 ** -40]) {
      const args: Argument[] = [inPlace(Float32Array.of(5, 6, 7)), x, size, 1, scale];
      await bench.compare(norm, clipReference.norm, args, 1e-6);
      const [[before, , after]] = await bench.run(norm, args);
      assertEquals([before, after], [5, 7]);
    }
    for (const norm of [0, 1e-15, 2, 1e15, 1e30, NaN]) {
      if (size > 5000) continue;
      const args: Argument[] = [out(size), x, Float32Array.of(norm), size, 3, 1];
      await bench.compare(clipToNorm, clipReference.clipToNorm, args, 1e-6);
    }
  }
  const x = Float32Array.of(1, NaN, 2);
  await bench.compare(norm, clipReference.norm, [out(1), x, 3, 0, 1]);
  await bench.compare(clipToNorm, clipReference.clipToNorm, [out(3), x, Float32Array.of(1), 3, 0.1, 1]);
});

testShaders("adamW() computes first and later steps", async (bench) => {
  for (const size of [1, 257, 1000]) {
    const [param, grad, mean, spread] = [1, 2, 3, 4].map(() => normals(size));
    const variance = spread.map((value) => 1e-3 * value ** 2);
    for (const step of [1, 2, 1000]) {
      await bench.compare(
        adamW,
        adamWReference.adamW,
        [
          ...[out(size), out(size), out(size), inPlace(new Float32Array(2)), param, grad],
          ...[
            step === 1 ? new Float32Array(size) : mean,
            step === 1 ? new Float32Array(size) : variance,
            Float32Array.of(2e-2),
            Float32Array.of(step),
            size,
            1,
          ],
          ...[0.5, 0.9, 0.999, 1e-8, 0.1],
        ],
        1e-6,
      );
    }
  }
});

testShaders("crossEntropyBackward() weights any number of rows", async (bench) => {
  for (const rows of manyRows) {
    for (const vocabulary of rows < 2000 ? [1, 2, 67, 700] : [2]) {
      const logits = normals(rows * vocabulary, 3), targets = ids(rows, vocabulary);
      for (const weights of [null, normals(rows).map((value) => value > 0 ? 1 : 0.5)]) {
        await bench.compare(
          crossEntropyBackward,
          crossEntropyReference.crossEntropyBackward,
          [out(rows * vocabulary), Float32Array.of(3), logits, targets, weights, rows, vocabulary],
        );
      }
    }
  }
});

testShaders("crossEntropyBackward() is accurate for nearly certain targets", async (bench) => {
  for (const distance of [5, 15, 22]) {
    await bench.compare(
      crossEntropyBackward,
      crossEntropyReference.crossEntropyBackward,
      [out(3), Float32Array.of(1), Float32Array.of(distance, 0, 1), Float32Array.of(0), null, 1, 3],
    );
  }
});

testShaders("crossEntropyBackward() has NaN and zeros where the reference does", async (bench) => {
  const inf = Infinity;
  const logits = Float32Array.of(1, 2, NaN, 4, 5, inf, -inf, 8, -inf, -inf, 3, 4, 5, 6);
  const targets = Float32Array.of(1, 0, 1, 0, 1, 2, -1);
  const args = [out(14), Float32Array.of(1), logits, targets];
  for (const weights of [null, [1, 0, 0, 2, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0], [1, 0, NaN, 0, 1, 0, 0]]) {
    await bench.compare(
      crossEntropyBackward,
      crossEntropyReference.crossEntropyBackward,
      [...args, weights && Float32Array.from(weights), 7, 2],
    );
  }
});

testShaders("gradients of elementwise functions keep NaN, and hold where powers overflow", async (bench) => {
  const x = Float32Array.of(NaN, 0, -0, 1e-20, -1e-20, 1, -1, 80, -80, 200, -200, 1e20, -1e20, 3e38, -3e38);
  const gy = x.map(() => 0.25);
  for (const name of ["sigmoid", "tanh", "squaredRelu", "gelu"] as const) {
    const backward = `${name}Backward` as const;
    for (const i of x.keys()) {
      // One by one, so that no error is hidden by a larger neighbour. Numbers too small for single precision are 0.
      const single: (...args: [Float64Array, Float64Array, Float64Array, number]) => void = (gx, ...rest) => {
        elementwiseReference[backward](gx, ...rest);
        gx[0] = Math.abs(gx[0]) < 2 ** -126 ? 0 : Math.fround(gx[0]);
      };
      await bench.compare(elementwise[backward], single, [
        ...[out(1), gy.subarray(i, i + 1), x.subarray(i, i + 1), 1],
      ]);
    }
  }
});

testShaders("softmaxBackward(), rotaryBackward() and those of steps handle any size", async (bench) => {
  for (const [batch, time, channels] of [[1, 1, 2], [2, 37, 14], [3, 2, 700], [2, 0, 4]]) {
    const size = batch * time * channels;
    const gy = normals(size), y = normals(size).map(Math.abs);
    const sizes = [batch, time, channels];
    await bench.compare(
      softmaxBackward,
      softmaxReference.softmaxBackward,
      [out(size), gy, y, batch * time, channels],
    );
    for (const heads of [1, channels / 2]) {
      const args = [out(size), gy, ...sizes, heads, 4095, 1e4];
      await bench.compare(rotaryBackward, rotaryReference.rotaryBackward, args);
    }
    await bench.compare(
      shiftTimeBackward,
      shiftTimeReference.shiftTimeBackward,
      [out(size), out(batch * channels), gy, ...sizes],
      0,
    );
    if (time === 0) continue;
    await bench.compare(
      lastStepBackward,
      shiftTimeReference.lastStepBackward,
      [out(size), normals(batch * channels), ...sizes],
      0,
    );
  }
});

testShaders("the shaders of gradients arrange more workgroups than fit in a row", async (bench) => {
  await compareLinear(bench, 1300, 130, 67);
  await compareEmbedding(bench, ids(70_001, 67), 67, 1);
  await bench.compare(norm, clipReference.norm, [out(1), normals(70_001), 70_001, 0, 1]);
  assertEquals(bench.dispatches.some(({ workgroups: [, rows = 1] }) => rows > 1), true);
}, { maxComputeWorkgroupsPerDimension: 40 });
