/** The shaders of WKV's gradient by themselves, at every chunk size; `gradients_test.ts` runs the shared cases. */
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/backends/webgpu/gpu.ts";
import { wkvChunkedBackward } from "../../src/ops/wkv/chunked_backward.ts";
import { wkv, wkvBackward as reference } from "../../src/ops/wkv/reference.ts";
import { wkvBackward } from "../../src/ops/wkv/shader.ts";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { assertNear, list, normal, type Numbers, numbers } from "../helpers.ts";
import { startedInputs } from "./cases/wkv.ts";
import { type GpuBench, testOnGpu, watched } from "./gpu_bench.ts";

const names = ["gDecay", "gBonus", "gKey", "gValue", "gState"];
/** The last is longer than every sequence: steps one after another. */
const chunks = [1, 2, 7, 16, 64, 100, 5000];

/** Relative to the largest entry. The gradient of the decay can be a small difference of large sums. */
const usual = 3e-5, ofDecay = 1e-4;

/** gy, the gradient of the last state, and the inputs of the scan. */
interface Subject {
  readonly inputs: readonly Numbers[];
  readonly expected: readonly Float64Array[];
}

/** The scan in float64. */
function scanned(inputs: readonly Numbers[]): { y: Float64Array; nextState: Float64Array } {
  const [decay, bonus, key, value, state] = inputs.map(({ data }) => Float64Array.from(data));
  const [batch, time, channels] = inputs[2].shape;
  const y = new Float64Array(key.length), nextState = new Float64Array(state.length);
  wkv(y, nextState, decay, bonus, key, value, state, batch, time, channels);
  return { y, nextState };
}

function subjectOf(gy: Numbers, gNextState: Numbers, inputs: readonly Numbers[]): Subject {
  const [decay, bonus, key, value, state] = inputs.map(({ data }) => Float64Array.from(data));
  const [batch, time, channels] = inputs[2].shape;
  const expected = [decay, bonus, key, value, state].map(({ length }) => new Float64Array(length));
  const [gDecay, gBonus, gKey, gValue, gState] = expected;
  reference(
    ...[gDecay, gBonus, gKey, gValue, gState] as const,
    ...[Float64Array.from(gy.data), Float64Array.from(gNextState.data)] as const,
    ...[decay, bonus, key, value, state, scanned(inputs).y] as const,
    ...[batch, time, channels] as const,
  );
  return { inputs: [gy, gNextState, ...inputs], expected };
}

/** With any gradients of the outputs. */
function drawn(random: RandomSource, inputs: readonly Numbers[]): Subject {
  return subjectOf(normal(random, inputs[2].shape), normal(random, inputs[4].shape), inputs);
}

/**
 * With a gradient of the last state of the form that all functions of the state's meaning have, a·e^(q + n·w) and
 * b·e^(q + n·w). It has no part for the largest key, of which there may be two to choose from.
 */
function drawnOfSums(random: RandomSource, inputs: readonly Numbers[]): Subject {
  const [decay, , key, , state] = inputs;
  const { nextState } = scanned(inputs);
  const gNextState = normal(random, state.shape);
  const [batch, , channels] = key.shape;
  for (let i = 0; i < batch * channels; i++) {
    const channel = i % channels;
    const [a, b, q, n] = [0, 1, 2, 3].map((row) => (4 * (i - channel) / channels + row) * channels + channel);
    const along = nextState[a] * gNextState.data[a] + nextState[b] * gNextState.data[b];
    gNextState.data[q] = along;
    gNextState.data[n] = decay.data[channel] * along;
  }
  return subjectOf(normal(random, key.shape), gNextState, inputs);
}

function run(
  bench: GpuBench,
  chunk: number,
  { inputs, expected }: Subject,
  gpu: Gpu = bench.queue,
): Promise<Float64Array[]> {
  const sizes = expected.map(({ length }) => length);
  return bench.run(wkvChunkedBackward, sizes, inputs, [...inputs[4].shape, chunk], gpu);
}

async function assertEqualGradients(
  bench: GpuBench,
  chunk: number,
  subject: Subject,
  gpu?: Gpu,
  tolerance = usual,
): Promise<void> {
  const actual = await run(bench, chunk, subject, gpu);
  subject.expected.forEach((wanted, i) => {
    const allowed = i === 0 ? Math.max(tolerance, ofDecay) : tolerance;
    assertNear(actual[i], wanted, allowed, `chunk ${chunk}: ${names[i]}`);
  });
}

testOnGpu("wkvChunkedBackward() equals the float64 reference", async (bench, t) => {
  const random = randomSource(1);
  let number = 0;
  for (const time of [1, 63, 64, 65, 1000, 4096]) {
    for (const channels of [128, 1, 7]) {
      const shape = [1 + number++ % 3, time, channels];
      await t.step(shape.join("×"), async () => {
        const inputs = startedInputs(random, shape);
        const subject = drawn(random, inputs);
        for (const chunk of chunks) await assertEqualGradients(bench, chunk, subject);
        const ofSums = drawnOfSums(random, inputs);
        for (const chunk of [7, 5000]) await assertEqualGradients(bench, chunk, ofSums);
      });
    }
  }
});

testOnGpu("wkvChunkedBackward() is accurate for keys of ±60", async (bench) => {
  const random = randomSource(2);
  const rare = () => random.uniform() < 0.02 ? 60 * Math.sign(random.normal()) : random.normal();
  for (const keyOf of [rare, () => 120 * random.uniform() - 60]) {
    const inputs = startedInputs(random, [2, 1000, 13], keyOf);
    for (const subject of [drawn(random, inputs), drawnOfSums(random, inputs)]) {
      for (const chunk of chunks) await assertEqualGradients(bench, chunk, subject, bench.queue, 1e-4);
    }
  }
});

testOnGpu("wkvChunkedBackward() works from the initial state", async (bench) => {
  const random = randomSource(3);
  const inputs = startedInputs(random, [2, 65, 9]);
  inputs[4].data.forEach((_, i, state) => state[i] = Math.floor(i / 9) % 4 === 2 ? -1e38 : 0);
  for (const chunk of chunks) await assertEqualGradients(bench, chunk, drawn(random, inputs));
});

testOnGpu("wkvChunkedBackward() works without steps", async (bench) => {
  const subject = drawn(randomSource(4), startedInputs(randomSource(5), [2, 0, 3]));
  for (const chunk of [1, 16]) await assertEqualGradients(bench, chunk, subject, bench.queue, 1e-6);
});

testOnGpu(
  "wkvChunkedBackward() gives the last anchor's gradient to the key that determined it",
  async (bench) => {
    const random = randomSource(6);
    // The anchor is still the first state's: a high one, one whose age looks like a step's, or one between two steps.
    for (const [anchor, age] of [[5, 2], [5, -20], [5, -20.5], [-5, -20], [0, 0.25]]) {
      const inputs = startedInputs(random, [2, 40, 5]);
      inputs[0].data.fill(-0.05);
      inputs[4].data.forEach((_, i, state) => {
        const row = Math.floor(i / 5) % 4;
        if (row >= 2) state[i] = row === 2 ? anchor : age;
      });
      for (const chunk of [7, 16, 64]) {
        await assertEqualGradients(bench, chunk, drawn(random, inputs));
      }
    }
    // Half a step after a step whose key is as large.
    const inputs = startedInputs(random, [1, 40, 1], () => -9);
    inputs[0].data.fill(-0.05);
    inputs[2].data[33] = 0;
    inputs[4].data.set([1, 1, 0, -34.5]);
    for (const chunk of [7, 16, 64]) await assertEqualGradients(bench, chunk, drawn(random, inputs));
  },
);

testOnGpu("wkvChunkedBackward() exceeds the limit of a loop", async (bench) => {
  const random = randomSource(7);
  const subject = drawn(random, startedInputs(random, [1, 70_001, 2]));
  for (const chunk of [1, 2, 40_000]) await assertEqualGradients(bench, chunk, subject, bench.queue, 1e-4);
});

testOnGpu("wkvChunkedBackward() arranges more workgroups than fit in a row", async (bench) => {
  const random = randomSource(8);
  const subject = drawn(random, startedInputs(random, [3, 65, 200]));
  const limits = { maxComputeWorkgroupsPerDimension: 9 } as GPUSupportedLimits;
  const narrow = watched(bench.queue, ({ workgroups }) => {
    assert(workgroups.every((count) => count! <= 9), `workgroups are ${workgroups}`);
  }, limits);
  for (const chunk of [16, 33, 100]) await assertEqualGradients(bench, chunk, subject, narrow);
});

testOnGpu("wkvChunkedBackward() returns NaN where the reference does", async (bench) => {
  const channels = 10, time = 20;
  const clean = [
    numbers([channels], () => -1),
    numbers([channels], () => 0.5),
    numbers([1, time, channels], (i) => i % 5 - 2),
    numbers([1, time, channels], (i) => i % 7 - 3),
    list([1, 2, 0.5, 3].flatMap((row) => Array(channels).fill(row)), [1, 4, channels]),
  ];
  const gy = numbers([1, time, channels], (i) => i % 3 - 0.5);
  const gNextState = numbers([1, 4, channels], (i) => i % 3 - 0.5);
  // One input per channel: decay, bonus, a key, a value, the four rows of the state, and both gradients.
  const places: [Numbers, number][] = [[clean[0], 0], [clean[1], 1]];
  places.push([clean[2], 5 * channels + 2], [clean[3], 9 * channels + 3]);
  for (const row of [0, 1, 2, 3]) places.push([clean[4], row * channels + 4 + row]);
  places.push([gy, 9 * channels + 8], [gNextState, 9]);
  for (const [{ data }, at] of places) data[at] = NaN;
  const subject = subjectOf(gy, gNextState, clean);
  const indices = (grads: readonly Float64Array[]) =>
    grads.map((grad) => [...grad.keys()].filter((i) => Number.isNaN(grad[i])));
  for (const chunk of [1, 2, 7, 16, 64]) {
    assertEquals(indices(await run(bench, chunk, subject)), indices(subject.expected), `chunk ${chunk}`);
  }
});

testOnGpu("wkvBackward() uses one chunk or many", async (bench) => {
  for (const [shape, scans] of [[[2, 0, 3], 1], [[2, 1, 3], 1], [[1, 700, 3], 2]] as const) {
    const random = randomSource(9);
    const { inputs, expected } = drawn(random, startedInputs(random, shape));
    let dispatches = 0;
    const counting = watched(bench.queue, () => dispatches++);
    const y = { shape, data: Float32Array.from(scanned(inputs.slice(2)).y) };
    const sizes = expected.map(({ length }) => length);
    const actual = await bench.run(wkvBackward, sizes, [...inputs, y], shape, counting);
    assertEquals(dispatches, scans === 1 ? 6 : 8, `dispatches at ${shape}`);
    expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-5, names[i]));
  }
});
