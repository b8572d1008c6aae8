/** The WKV shaders by themselves, at every chunk size; `wkv_test.ts` runs the shared cases. */
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/backends/webgpu/gpu.ts";
import { wkvChunked } from "../../src/ops/wkv/chunked.ts";
import { wkv as reference } from "../../src/ops/wkv/reference.ts";
import { wkvSerial } from "../../src/ops/wkv/serial.ts";
import { chunkFor, wkv } from "../../src/ops/wkv/shader.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, list, type Numbers, numbers } from "../helpers.ts";
import { startedInputs, wkvView } from "./cases/wkv.ts";
import { type GpuBench, testOnGpu, watched } from "./gpu_bench.ts";

type Kernel = typeof wkvSerial;

/** The kernel with chunks of this many steps; 0: the serial one. */
function kernelOf(chunk: number): Kernel {
  return chunk === 0 ? wkvSerial : (gpu, ...args) => wkvChunked(gpu, ...args, chunk);
}

const chunks = [0, 1, 2, 7, 16, 64, 100, 5000];

interface Outputs {
  readonly y: Float64Array;
  readonly state: Float64Array;
}

async function run(
  bench: GpuBench,
  kernel: Kernel,
  inputs: readonly Numbers[],
  gpu: Gpu = bench.queue,
): Promise<Outputs> {
  const [, , key, , state] = inputs;
  const sizes = [key, state].map(({ data }) => data.length);
  const [y, nextState] = await bench.run(kernel, sizes, inputs, key.shape, gpu);
  return { y, state: nextState };
}

function exactly(inputs: readonly Numbers[]): Outputs {
  const [decay, bonus, key, value, state] = inputs.map(({ data }) => Float64Array.from(data));
  const [batch, time, channels] = inputs[2].shape;
  const y = new Float64Array(key.length), nextState = new Float64Array(state.length);
  reference(y, nextState, decay, bonus, key, value, state, batch, time, channels);
  return { y, state: nextState };
}

function assertEqualOutputs(
  actual: Outputs,
  expected: Outputs,
  inputs: readonly Numbers[],
  tolerance: number,
  what: string,
): void {
  const wanted = wkvView([expected.y, expected.state], inputs);
  wkvView([actual.y, actual.state], inputs).forEach((output, i) => {
    assertNear(output, wanted[i], tolerance, `${what}: ${["y", "mean", "weight"][i]}`);
  });
}

testOnGpu("wkvSerial() and wkvChunked() equal the float64 reference", async (bench, t) => {
  const random = randomSource(1);
  let case_ = 0;
  for (const time of [1, 63, 64, 65, 1000, 4096]) {
    for (const channels of [1, 7, 128, 200]) {
      const shape = [1 + case_++ % 3, time, channels];
      await t.step(shape.join("×"), async () => {
        const inputs = startedInputs(random, shape);
        const expected = exactly(inputs);
        for (const chunk of chunks) {
          const actual = await run(bench, kernelOf(chunk), inputs);
          assertEqualOutputs(actual, expected, inputs, 1e-5, `chunk ${chunk}`);
        }
      });
    }
  }
});

testOnGpu("wkvSerial() and wkvChunked() do not drift over 4096 steps with keys of ±50", async (bench) => {
  const random = randomSource(2);
  const key = () => random.uniform() < 0.02 ? 50 * Math.sign(random.normal()) : random.normal();
  const inputs = startedInputs(random, [2, 4096, 13], key);
  const { y } = exactly(inputs);
  for (const chunk of chunks) {
    const actual = await run(bench, kernelOf(chunk), inputs);
    const errors = y.map((value, i) => Math.abs(actual.y[i] - value) / (Math.abs(value) + 0.01));
    const error = errors.reduce((most, each) => Math.max(most, each));
    assert(error <= 2e-4, `chunk ${chunk}: error is ${error}`);
  }
});

testOnGpu("wkvSerial() and wkvChunked() may be split anywhere", async (bench) => {
  const random = randomSource(3), batch = 2, time = 130, channels = 9;
  const inputs = startedInputs(random, [batch, time, channels]);
  const part = ({ data }: Numbers, start: number, end: number) => ({
    shape: [batch, end - start, channels],
    data: Float32Array.from({ length: batch * (end - start) * channels }, (_, i) => {
      const width = (end - start) * channels;
      return data[Math.floor(i / width) * time * channels + start * channels + i % width];
    }),
  });
  const [decay, bonus, key, value, state] = inputs;
  for (const chunk of [0, 1, 7, 16, 64]) {
    const whole = await run(bench, kernelOf(chunk), inputs);
    for (const cut of [1, 63, 64, 65, 129]) {
      const [head, tail] = [[0, cut], [cut, time]].map(([start, end]) =>
        [key, value].map((x) => part(x, start, end))
      );
      const first = await run(bench, kernelOf(chunk), [decay, bonus, ...head, state]);
      const between = { shape: state.shape, data: Float32Array.from(first.state) };
      const second = await run(bench, kernelOf(chunk), [decay, bonus, ...tail, between]);
      const joined = [0, 1].flatMap((b) => [
        ...first.y.subarray(b * cut * channels, (b + 1) * cut * channels),
        ...second.y.subarray(b * (time - cut) * channels, (b + 1) * (time - cut) * channels),
      ]);
      const actual = { y: Float64Array.from(joined), state: second.state };
      assertEqualOutputs(actual, whole, inputs, 1e-5, `chunk ${chunk} split at ${cut}`);
    }
  }
});

testOnGpu("wkvSerial() and wkvChunked() exceed the limits of a dispatch and of a loop", async (bench) => {
  const inputs = startedInputs(randomSource(4), [1, 70_001, 2]);
  const expected = exactly(inputs);
  let dispatches = 0;
  const counting = watched(bench.queue, () => dispatches++);
  assertEqualOutputs(await run(bench, wkvSerial, inputs, counting), expected, inputs, 1e-5, "serial");
  assertEquals(dispatches, 3);
  for (const chunk of [1, 2, 40_000]) {
    assertEqualOutputs(await run(bench, kernelOf(chunk), inputs), expected, inputs, 1e-5, `chunk ${chunk}`);
  }
});

testOnGpu("wkvSerial() and wkvChunked() arrange more workgroups than fit in a row", async (bench) => {
  const inputs = startedInputs(randomSource(5), [3, 65, 200]);
  const expected = exactly(inputs);
  const limits = { maxComputeWorkgroupsPerDimension: 9 } as GPUSupportedLimits;
  const narrow = watched(bench.queue, ({ workgroups }) => {
    assert(workgroups.every((count) => count! <= 9), `workgroups are ${workgroups}`);
  }, limits);
  for (const chunk of [0, 16, 33]) {
    const actual = await run(bench, kernelOf(chunk), inputs, narrow);
    assertEqualOutputs(actual, expected, inputs, 1e-5, `chunk ${chunk}`);
  }
});

testOnGpu("wkvSerial() and wkvChunked() return NaN where the reference does", async (bench) => {
  const channels = 8, time = 20;
  const clean = [
    numbers([channels], () => -1),
    numbers([channels], () => 0.5),
    numbers([1, time, channels], (i) => i % 5 - 2),
    numbers([1, time, channels], (i) => i % 7 - 3),
    list([1, 2, 0.5, 3].flatMap((row) => Array(channels).fill(row)), [1, 4, channels]),
  ];
  // One input per channel: decay, bonus, a key, a value, and the four rows of the state.
  const places = [[0, 0], [1, 1], [2, 5 * channels + 2], [3, 9 * channels + 3]];
  for (const row of [0, 1, 2, 3]) places.push([4, row * channels + 4 + row]);
  for (const [input, at] of places) clean[input].data[at] = NaN;
  const view = ({ y, state }: Outputs) =>
    wkvView([y, state], clean).map((output) => [...output.keys()].filter((i) => Number.isNaN(output[i])));
  const expected = view(exactly(clean));
  assertEquals(expected[1], [0, 2, 3, 4, 5, 6, 7], "channels of the reference whose mean is NaN");
  for (const chunk of [0, 1, 2, 7, 16, 64]) {
    assertEquals(view(await run(bench, kernelOf(chunk), clean)), expected, `chunk ${chunk}`);
  }
});

testOnGpu("wkv() runs step by step or in chunks, and without steps", async (bench) => {
  for (const [shape, dispatches] of [[[2, 0, 3], 1], [[2, 1, 3], 1], [[1, 700, 3], 3]] as const) {
    const inputs = startedInputs(randomSource(6), shape);
    let count = 0;
    const counting = watched(bench.queue, () => count++);
    const actual = await run(bench, wkv, inputs, counting);
    assertEquals(count, dispatches, `dispatches at ${shape}`);
    assertEqualOutputs(actual, exactly(inputs), inputs, 1e-5, `${shape}`);
  }
});

Deno.test("chunkFor() uses chunks for few channels and many steps", () => {
  const limits = { maxStorageBufferBindingSize: 2 ** 27 };
  const chunk = (batch: number, channels: number, time: number) => chunkFor(batch, channels, time, limits);
  assertEquals(chunk(8, 4096, 2048), 2048, "channels enough");
  assertEquals(chunk(1, 768, 100), 100, "few steps");
  assertEquals(chunk(1, 768, 65_536), 384);
  assertEquals(chunk(1, 1, 65_536), 48);
  for (const time of [256, 257, 1000, 65_536, 2 ** 22]) {
    for (const all of [1, 7, 128, 768, 16_383]) {
      const steps = chunk(1, all, time);
      assert(steps <= time && steps >= 32, `${steps} steps of ${time}`);
      assert(steps === time || steps % 8 === 0, `${steps} is whole blocks`);
      assert(16 * all * (Math.ceil(time / steps) - 1) <= 2 ** 27, `sums of ${all} channels fit a buffer`);
    }
  }
});
