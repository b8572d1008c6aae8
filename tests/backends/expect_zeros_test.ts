import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { add, type Backend, createWebGpu, DeviceLostError, read, tensor } from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { createTape } from "../../src/autodiff/tape.ts";
import { assertSame, testOnAll } from "../helpers.ts";
import { countBuffers, requestDevice, testOnGpu } from "./webgpu/gpu.ts";

const wrongAt = (i: number) => new RangeError(`wrong at ${i}`);

/** Expects a tensor to be 0, and frees it as a scope would. */
function expect(backend: Backend, numbers: readonly number[], errorAt = wrongAt): void {
  backend.scope(() => {
    const flags = tensor(numbers, [numbers.length], backend);
    engineOf(backend).expectZeros(flags, errorAt);
    return null;
  });
}

testOnAll("expectZeros() throws at once or with the next read, and only once", async (backend) => {
  const x = tensor([1, 2], [2], backend), { bytes } = backend.memory();
  expect(backend, [0, -0, 0]);
  assertSame(await read(x), [1, 2]);
  await assertRejects(
    async () => {
      expect(backend, [0, 0, 1, 1]);
      await read(x);
    },
    RangeError,
    "wrong at 2",
  );
  assertSame(await read(x), [1, 2]);
  assertEquals(backend.memory().bytes, bytes);
});

testOnAll("expectZeros() of a recording backend is that of the recorded one", async (backend) => {
  const recording = engineOf(createTape(backend).backend);
  await assertRejects(
    async () => {
      recording.expectZeros(recording.upload([0, 1], [2]), wrongAt);
      await read(tensor([1], [1], backend));
    },
    RangeError,
    "wrong at 1",
  );
});

testOnGpu("expectZeros() is reported by the next read, also for many tensors", async () => {
  using backend = await createWebGpu({ device: await requestDevice() });
  const x = tensor([1], [1], backend);
  const before = read(x);
  expect(backend, [1]);
  expect(backend, [0, 1]);
  const next = read(x), later = read(add(x, x));
  assertSame(await before, [1]);
  await assertRejects(() => next, RangeError, "wrong at 0");
  assertSame(await later, [2]);
});

testOnGpu(
  "expectZeros() of more than sixteen tensors reads some separately, and the next read reports them",
  async () => {
    const device = await requestDevice(), buffers = countBuffers(device);
    using backend = await createWebGpu({ device });
    const x = tensor([1], [1], backend);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 40; i++) expect(backend, [0, i === 5 ? 1 : 0], () => wrongAt(100 * round + i));
      if (round === 1) await new Promise((resolve) => setTimeout(resolve, 50));
      await assertRejects(() => read(x), RangeError, `wrong at ${100 * round + 5}`);
      assertSame(await read(x), [1]);
    }
    const { created } = buffers;
    for (let i = 0; i < 400; i++) {
      expect(backend, [0, 0]);
      if (i % 40 === 0) await read(x);
    }
    assertSame(await read(x), [1]);
    assertEquals(buffers.created <= created + 4, true, `${buffers.created - created} buffers more`);
  },
);

testOnGpu("expectZeros() leaves nothing pending when the backend or the device ends", async () => {
  for (const count of [1, 20]) {
    const backend = await createWebGpu({ device: await requestDevice() });
    for (let i = 0; i < count; i++) expect(backend, [1]);
    backend[Symbol.dispose]();
    assertThrows(() => expect(backend, [1]), TypeError);

    const device = await requestDevice();
    using lost = await createWebGpu({ device });
    const x = tensor([1], [1], lost);
    for (let i = 0; i < count; i++) expect(lost, [1]);
    device.destroy();
    await device.lost;
    await assertRejects(() => read(x), DeviceLostError);
    assertThrows(() => expect(lost, [1]), DeviceLostError);
  }
});
