/**
 * The shaders of attention's gradient by themselves, with free capacity behind the keys, and with more keys and
 * queries than one dispatch handles. `gradients_test.ts` runs the shared cases.
 */
import { assert, assertEquals } from "@std/assert";
import type { Gpu, GpuBlock } from "../../src/backends/webgpu/gpu.ts";
import { attention, attentionBackward as reference } from "../../src/ops/attention/reference.ts";
import { attentionBackward } from "../../src/ops/attention/shader_backward.ts";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { assertNear, normal, type Numbers } from "../helpers.ts";
import { testOnGpu, watched } from "./gpu_bench.ts";

/** B, queries, keys, capacity for keys, capacity for values, C, heads, and 1 if later keys are hidden. */
type Sizes = readonly [number, number, number, number, number, number, number, number, number];

/** The kernel without a mask. */
function unmasked(
  gpu: Gpu,
  ...[gQuery, gKey, gValue, gy, query, key, value, y, ...sizes]: [
    ...[GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock],
    ...Sizes,
  ]
): void {
  attentionBackward(gpu, gQuery, gKey, gValue, gy, query, key, value, null, y, ...sizes);
}

/** gy, query, key, value, y; behind the keys and values of each sequence is NaN, which must not be read. */
function inputsOf(random: RandomSource, sizes: Sizes, change = (_inputs: Numbers[]) => {}): Numbers[] {
  const [batch, queryTime, keyTime, keyCapacity, valueCapacity, , channels] = sizes;
  const rows = [batch, queryTime, channels];
  const inputs = [rows, rows, [batch, keyCapacity, channels], [batch, valueCapacity, channels]].map(
    (shape) => {
      const x = normal(random, shape);
      for (let b = 0; b < batch && shape !== rows; b++) {
        x.data.fill(NaN, (b * shape[1] + keyTime) * channels, (b + 1) * shape[1] * channels);
      }
      return x;
    },
  );
  change(inputs);
  const [query, key, value] = inputs.slice(1).map(({ data }) => Float64Array.from(data));
  const y = new Float64Array(query.length);
  attention(y, query, key, value, null, ...sizes);
  return [...inputs, { shape: rows, data: Float32Array.from(y) }];
}

function exactly(inputs: readonly Numbers[], sizes: Sizes): Float64Array[] {
  const [batch, queryTime, keyTime, , , , channels] = sizes;
  const [gQuery, gKey, gValue] = [queryTime, keyTime, keyTime].map((time) =>
    new Float64Array(batch * time * channels)
  );
  const [gy, query, key, value, y] = inputs.map(({ data }) => Float64Array.from(data));
  reference(gQuery, gKey, gValue, gy, query, key, value, null, y, ...sizes);
  return [gQuery, gKey, gValue];
}

testOnGpu("attentionBackward() equals the float64 reference", async (bench, t) => {
  const cases: Sizes[] = [
    [1, 1, 1, 1, 1, 0, 1, 1, 1],
    [2, 15, 17, 20, 17, 0, 6, 2, 1],
    [2, 16, 64, 64, 70, 0, 34, 2, 1],
    [1, 65, 65, 65, 65, 0, 17, 1, 1],
    [3, 17, 129, 131, 130, 0, 15, 3, 1],
    [1, 63, 257, 257, 257, 0, 128, 1, 1],
    [2, 1, 200, 256, 256, 0, 64, 4, 1],
    [2, 0, 5, 6, 7, 0, 4, 2, 1],
    [2, 15, 17, 20, 17, 0, 6, 2, 0],
    [2, 65, 65, 65, 65, 0, 17, 1, 0],
    [3, 129, 17, 18, 20, 0, 15, 3, 0],
    [2, 5, 0, 6, 7, 0, 4, 2, 0],
  ];
  for (const [seed, sizes] of cases.entries()) {
    await t.step(sizes.join(), async () => {
      const inputs = inputsOf(randomSource(seed), sizes);
      const expected = exactly(inputs, sizes);
      const actual = await bench.run(unmasked, expected.map(({ length }) => length), inputs, sizes);
      expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-5, `gradient ${i}`));
    });
  }
});

testOnGpu("attentionBackward() exceeds the limits of a dispatch and of a loop", async (bench) => {
  // Many keys; and rows so long that even few keys and queries exceed a limit.
  for (
    const sizes of [
      [1, 1, 32_000, 32_000, 32_000, 0, 2, 1, 1],
      [1, 65, 65, 65, 65, 0, 8192, 1, 1],
      [1, 3, 260, 260, 260, 0, 8192, 1, 1],
      [1, 65, 33, 33, 33, 0, 8192, 1, 0],
    ] as const
  ) {
    const inputs = inputsOf(randomSource(1), sizes);
    const expected = exactly(inputs, sizes);
    let dispatches = 0;
    const counting = watched(bench.queue, () => dispatches++);
    const lengths = expected.map(({ length }) => length);
    const actual = await bench.run(unmasked, lengths, inputs, sizes, counting);
    assert(dispatches > 3, `${dispatches} dispatches`);
    expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-5, `gradient ${i} of ${sizes}`));
  }
});

testOnGpu("attentionBackward() arranges more workgroups than fit in a row", async (bench) => {
  const sizes: Sizes = [3, 40, 70, 70, 70, 0, 12, 3, 1];
  const inputs = inputsOf(randomSource(2), sizes);
  const limits = { maxComputeWorkgroupsPerDimension: 7 } as GPUSupportedLimits;
  const narrow = watched(bench.queue, ({ workgroups }) => {
    assert(workgroups.every((count) => count! <= 7), `workgroups are ${workgroups}`);
  }, limits);
  const expected = exactly(inputs, sizes);
  const lengths = expected.map(({ length }) => length);
  const actual = await bench.run(unmasked, lengths, inputs, sizes, narrow);
  expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-5, `gradient ${i}`));
});

testOnGpu(
  "attentionBackward() returns NaN and infinity where the reference does",
  async (bench) => {
    const sizes: Sizes = [1, 5, 7, 8, 8, 0, 12, 6, 1];
    const indices = (grads: readonly Float64Array[]) =>
      grads.map((grad) => [...grad.keys()].filter((i) => Number.isNaN(grad[i])));
    // Each in a head of its own: in a gradient, a query, a key, a value, and an infinite key that a query attends to.
    const inputs = inputsOf(randomSource(3), sizes, ([gy, query, key, value]) => {
      gy.data[1 * 12] = NaN;
      query.data[2 * 12 + 2] = NaN;
      key.data[4 * 12 + 4] = NaN;
      value.data[5 * 12 + 6] = NaN;
      key.data[3 * 12 + 8] = Infinity;
      for (let i = 0; i < 5; i++) query.data[i * 12 + 8] = 1;
    });
    const expected = exactly(inputs, sizes);
    const actual = await bench.run(unmasked, expected.map(({ length }) => length), inputs, sizes);
    assertEquals(indices(actual), indices(expected));
  },
);
