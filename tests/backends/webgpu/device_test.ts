import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  add,
  type Backend,
  createWebGpu,
  DeviceLostError,
  generate,
  put,
  read,
  rwkv,
  sigmoid,
  softmax,
  tensor,
} from "@seqmix/seqmix";
import { engineOf } from "../../../src/engine.ts";
import { assertNear, testFailures, wrong } from "../../helpers.ts";
import { models } from "../../mixers.ts";
import { countBuffers, requestDevice, testOnGpu } from "./gpu.ts";
import { openDevice } from "../../../src/backends/webgpu/open.ts";

/** Asserts that a backend computes. */
async function assertWorks(backend: Backend): Promise<void> {
  assertNear(await read(sigmoid(tensor([0, 100], [2], backend))), [0.5, 1], 1e-6);
}

Deno.test("createWebGpu() rejects with the reason if there is no adapter", async () => {
  const gpu = Object.getOwnPropertyDescriptor(Navigator.prototype, "gpu")!;
  const replace = (value: unknown) =>
    Object.defineProperty(Navigator.prototype, "gpu", { configurable: true, value });
  try {
    replace({ requestAdapter: () => Promise.resolve(null) });
    await assertRejects(
      () => createWebGpu(),
      Error,
      "Cannot create webgpu: there must be a GPU adapter, current runtime offers none",
    );
    replace(undefined);
    await assertRejects(
      () => createWebGpu(),
      Error,
      "Cannot create webgpu: the runtime must have WebGPU, current runtime has no navigator.gpu",
    );
  } finally {
    Object.defineProperty(Navigator.prototype, "gpu", gpu);
  }
});

testOnGpu("createWebGpu() accepts a power preference", async () => {
  for (const powerPreference of ["low-power", "high-performance"] as const) {
    using backend = await createWebGpu({ powerPreference });
    await assertWorks(backend);
  }
});

testOnGpu("createWebGpu() rejects and throws DeviceLostError once its device is lost", async () => {
  const device = await requestDevice();
  using backend = await createWebGpu({ device });
  const x = tensor([1, 2], [2], backend), held = backend.memory().bytes;
  const pending = [read(x), read(x)].map((result) => assertRejects(() => result, DeviceLostError));
  device.destroy();
  const [error] = await Promise.all(pending);
  assertEquals(error.name, "DeviceLostError");
  const words = /^Cannot use webgpu: its device must be alive, current device was lost \(destroyed: .*\)$/;
  assert(words.test(error.message), error.message);
  for (
    const call of [
      () => sigmoid(x),
      () => tensor([1], [1], backend),
      () => engineOf(backend).reserveTime(1, 2, 3),
    ]
  ) {
    assertThrows(call, DeviceLostError);
  }
  await assertRejects(() => read(x), DeviceLostError);
  await assertRejects(() => createWebGpu({ device }), DeviceLostError);
  assertEquals(backend.memory().bytes, held);
  backend.free(x);
  assertEquals(backend.memory().bytes, 0);
});

testOnGpu("createWebGpu() works again after a device was lost in the middle of a generation", async () => {
  for (const { model, make } of models) {
    for (const length of [1, 30]) {
      const device = await requestDevice();
      using backend = await createWebGpu({ device });
      const params = await put(make(1), backend);
      const { bytes } = backend.memory();
      let seen = 0, caught: unknown;
      try {
        for await (const _ of generate(model, params, [1, 2], { maxTokens: 200 })) {
          if (++seen === length) device.destroy();
        }
      } catch (error) {
        caught = error;
      }
      assertInstanceOf(caught, DeviceLostError);
      assert(seen < 200);
      assertEquals(backend.memory().bytes, bytes);
    }
  }
  using another = await createWebGpu();
  await assertWorks(another);
});

testOnGpu("createWebGpu() refuses a tensor beyond the device's limits, and continues", async () => {
  const device = await requestDevice();
  const buffers = countBuffers(device);
  using backend = await createWebGpu({ device });
  const limit = device.limits.maxStorageBufferBindingSize;
  const { created } = buffers;
  const error = assertThrows(() => engineOf(backend).reserveTime(1, 2 ** 20, 2 ** 12), RangeError);
  assertEquals(
    error.message,
    "Cannot allocate tensor: its bytes must be at most the device's maxStorageBufferBindingSize of " +
      `${limit}, current size is ${2 ** 34}, with 0 bytes in use`,
  );
  assertEquals([buffers.created, backend.memory().bytes], [created, 0]);
  backend.free(engineOf(backend).reserveTime(1, limit / 4, 1));
  await assertWorks(backend);
});

testOnGpu(
  "createWebGpu() refuses sizes beyond u32, also of an empty tensor, and continues",
  async () => {
    using backend = await createWebGpu();
    const empty = tensor([], [2 ** 33, 0], backend);
    assertThrows(
      () => softmax(empty),
      RangeError,
      "Cannot compute on webgpu: sizes must be below 2 to the 32, current sizes are 8589934592, 0",
    );
    await assertWorks(backend);
  },
);

testOnGpu("read() rejects once with an error that a device reports for earlier commands", async () => {
  const device = await requestDevice();
  using backend = await createWebGpu({ device });
  const x = tensor([1, 2], [2], backend);
  await read(x);
  // A buffer with an invalid usage.
  device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
  const error = await assertRejects(() => read(add(x, x)), Error);
  const words = "Cannot compute on webgpu: commands must be valid, current error is ";
  assert(error.message.startsWith(words) && error.message.length > words.length, error.message);
  assertEquals([...await read(add(x, x))], [2, 4]);
});

testOnGpu(
  "[Symbol.dispose]() destroys every buffer, and the device only if the backend created it",
  async () => {
    const device = await requestDevice();
    const buffers = countBuffers(device);
    const backend = await createWebGpu({ device });
    const params = await put(
      rwkv.init({ vocabulary: 5, layers: 1, channels: 3, feedForward: 5 }, 1),
      backend,
    );
    await read(rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params)).logits);
    const pending = read(params.head);
    backend[Symbol.dispose]();
    const error = await assertRejects(() => pending, TypeError);
    assertEquals(error.message, "Cannot use webgpu: backend must be open, current webgpu is disposed");
    backend[Symbol.dispose]();
    assert(buffers.created > 20);
    assert(buffers.destroyed >= buffers.created, JSON.stringify(buffers));

    using another = await createWebGpu({ device });
    await assertWorks(another);
  },
);

testOnGpu("[Symbol.dispose]() works on a lost device", async () => {
  const device = await requestDevice();
  const backend = await createWebGpu({ device });
  tensor([1, 2], [2], backend);
  device.destroy();
  backend[Symbol.dispose]();
  assertEquals(backend.memory().bytes, 0);
});

testOnGpu("two backends on one device have independent lifetimes", async () => {
  const device = await requestDevice();
  const one = await createWebGpu({ device });
  using other = await createWebGpu({ device });
  const [x, y] = [one, other].map((backend) => sigmoid(tensor([0, 100], [2], backend)));
  assertNear(await read(x), [0.5, 1], 1e-6);
  one[Symbol.dispose]();
  assertNear(await read(y), [0.5, 1], 1e-6);
  await assertWorks(other);
});

testOnGpu("a step of a model makes few submissions", async () => {
  const device = await requestDevice();
  // As on a GPU: software gets fewer dispatches at a time.
  using backend = await openDevice(device, false, () => {});
  const params = await put(rwkv.init({ vocabulary: 5, layers: 2, channels: 3, feedForward: 5 }, 1), backend);
  let submissions = 0;
  const submit = device.queue.submit.bind(device.queue);
  device.queue.submit = (commands) => {
    submissions++;
    return submit(commands);
  };
  const { logits, state } = rwkv.forward(params, [[1]], rwkv.initialState(params));
  const next = rwkv.forward(params, [[2]], state);
  await read(next.logits);
  assertEquals(submissions, 1);
  backend.free([logits, state, next]);
});

testFailures("createWebGpu()", [
  [
    "a preference that is none",
    () => createWebGpu({ powerPreference: wrong("fast") }),
    TypeError,
    'Cannot create webgpu: powerPreference must be "low-power" or "high-performance", current powerPreference is "fast"',
  ],
  [
    "a device that is none",
    () => createWebGpu({ device: wrong({}) }),
    TypeError,
    "Cannot create webgpu: device must be a GPUDevice, current value is an object (Object)",
  ],
]);
