/** Sizes that are too large for a backend must be refused without side effects, wherever shapes are multiplied. */
import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  adamW,
  appendTime,
  attention,
  type Backend,
  createReference,
  createWasm,
  crossEntropy,
  embedding,
  linear,
  lstmModel,
  lstmRecurrence,
  lstmState,
  motifTask,
  multiHeadAttentionState,
  presets,
  put,
  read,
  reference,
  rwkv,
  sample,
  sampleSequences,
  stackStates,
  type Tensor,
  tensor,
  trainAndTest,
  transformer,
  wkv,
  wkvState,
} from "@seqmix/seqmix";
import { run } from "../../src/compute.ts";
import { engineOf } from "../../src/engine.ts";
import { sliceTimeOp } from "../../src/ops/append_time/mod.ts";
import { attentionOp } from "../../src/ops/attention/mod.ts";
import { padBatchOp } from "../../src/ops/batch/mod.ts";
import { lstmRecurrenceBackwardOp } from "../../src/ops/lstm/mod.ts";
import { wkvOp } from "../../src/ops/wkv/mod.ts";
import { ownNumbers, sharedNumbers } from "../../src/train/ravel.ts";
import { sizeOf } from "../../src/tree.ts";
import { zeros } from "../../src/transfer.ts";
import { assertSame, runBackward, testOnAll } from "../helpers.ts";
import { attentionParams, models } from "../mixers.ts";
import { anySize } from "./sizes.ts";

/** Asserts that a call is refused as too large, and leaves nothing allocated. */
function assertRefused(backend: Backend, call: () => unknown, what: string): void {
  const { bytes } = backend.memory();
  let error: unknown;
  try {
    backend.free(call());
  } catch (reason) {
    error = reason;
  }
  assert(error instanceof RangeError && error.message.startsWith("Cannot "), `${what}: ${error}`);
  assertEquals(backend.memory().bytes, bytes, `bytes after ${what}`);
}

Deno.test("sizeOf() is the product of a shape, and refuses inexact ones", () => {
  const axis = fc.oneof(anySize, fc.nat(5));
  fc.assert(
    fc.property(fc.array(axis, { maxLength: 5 }), (shape) => {
      const exact = shape.reduce((product, size) => product * BigInt(size), 1n);
      if (exact <= BigInt(Number.MAX_SAFE_INTEGER)) assertEquals(BigInt(sizeOf(shape)), exact);
      else {
        assertThrows(
          () => sizeOf(shape),
          RangeError,
          "Cannot allocate tensor: shape must hold at most 9007199254740991 numbers, current shape is [",
        );
      }
    }),
    { numRuns: 2000 },
  );
});

testOnAll(
  "a backend creates a cache of any size, or refuses it with a message and unchanged memory",
  (backend) => {
    const kept = tensor([9, 9, 9], [3], backend);
    const { bytes } = backend.memory();
    const sizes = fc.tuple(anySize, anySize, fc.integer({ min: 0, max: 2 }))
      .map(([a, b, order]) => order === 0 ? [a, 1, 1] : order === 1 ? [1, a, b] : [a % 1000, b, a]);
    fc.assert(
      fc.property(sizes, ([batch, capacity, channels]) => {
        try {
          const cache = backend.reserveTime(batch, capacity, channels);
          const wanted = 4 * batch * capacity * channels;
          assert(backend.memory().bytes - bytes >= wanted, `${wanted} bytes, ${backend.memory().bytes} held`);
          backend.free(cache);
        } catch (error) {
          assertStrictEquals((error as Error).constructor, RangeError);
          assert((error as Error).message.startsWith("Cannot allocate tensor: "), String(error));
        }
        assertEquals(backend.memory().bytes, bytes);
      }),
    );
    assert(backend.memory().bytes === bytes);
    backend.free(kept);
  },
);

testOnAll("a backend refuses too large sizes wherever shapes are multiplied", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const large = 2 ** 52, most = Number.MAX_SAFE_INTEGER;
  const [columns, rows, past] = [[2 ** 40, 0], [most, 0], [0, most, 4]].map((shape) =>
    tensor([], shape, backend)
  );
  const row = tensor([1, 2], [1, 2], backend), logits = tensor([1], [1, 1, 1], backend);
  const lists = new Array(2 ** 20).fill(new Uint8Array(2 ** 24));
  const calls: Record<string, () => unknown> = {
    "tensor()": () => tensor([1], [large, large], backend),
    "tensor(), infinite": () => tensor([], [...new Array(25).fill(large), 0], backend),
    "reserveTime()": () => backend.reserveTime(1, large, 32),
    "reserveTime(), inexact": () => backend.reserveTime(2 ** 20, 2 ** 30, 2 ** 20),
    "multiHeadAttentionState(), capacity": () => multiHeadAttentionState(params, 1, most),
    "multiHeadAttentionState(), batch": () => multiHeadAttentionState(params, most, 3),
    "wkvState()": () => wkvState(most, most, backend),
    "wkvState(), host": () => wkvState(2 ** 44, 3, backend),
    "zeros()": () => zeros([large, 2], backend),
    "zeros(), host": () => zeros([2 ** 45], backend),
    "upload()": () => backend.upload([], [large, large]),
    "embedding()": () => embedding(lists, row),
    "crossEntropy()": () => crossEntropy(logits, lists),
    "crossEntropy(), weights": () => crossEntropy(logits, [[0]], lists),
    "linear()": () => linear(columns, columns),
    "sliceBatch() backwards": () => run(padBatchOp, [row], [0, 2 ** 44]),
    "stackStates()": () => stackStates([rows, rows]),
    "appendTime()": () => appendTime(past, past),
  };
  for (const [name, call] of Object.entries(calls)) assertRefused(backend, call, name);
  for (const { name, model, make } of models) {
    const params = await put(make(1), backend);
    for (const batch of model === transformer ? [most] : [most, 2 ** 44]) {
      assertRefused(backend, () => model.initialState(params, batch), `${name}.initialState(${batch})`);
    }
  }
  assertSame(await read(row), [1, 2]);
});

Deno.test("init() of every model refuses sizes that exceed memory, and leaves nothing allocated", () => {
  const { bytes } = reference.memory();
  for (const channels of [2 ** 22, 2 ** 52]) {
    const small = { vocabulary: 1, layers: 1, channels }, wide = { ...small, feedForward: channels };
    for (
      const init of [
        () => rwkv.init(wide, 1),
        () => transformer.init({ ...wide, heads: 1 }, 1),
        () => lstmModel.init(small, 1),
      ]
    ) {
      assertThrows(init, RangeError, "Cannot allocate tensor: ");
      assertEquals(reference.memory().bytes, bytes, String(init));
    }
  }
});

/** Functions that allocate several times, on small tensors. */
const operations: Record<string, (draw: (...shape: number[]) => Tensor) => () => unknown> = {
  wkv(draw) {
    const params = { decay: draw(32), bonus: draw(32) }, x = { key: draw(2, 3, 32), value: draw(2, 3, 32) };
    const state = draw(2, 4, 32);
    return () => wkv(params, x, state);
  },
  lstmRecurrence(draw) {
    const gates = draw(2, 20, 64), weight = draw(64, 16), state = { hidden: draw(2, 16), cell: draw(2, 16) };
    return () => lstmRecurrence(gates, weight, state);
  },
  attention(draw) {
    const [query, key, value] = [draw(2, 9, 16), draw(2, 9, 16), draw(2, 9, 16)];
    return () => attention(query, key, value, 2);
  },
  appendTime(draw) {
    const past = draw(2, 9, 16), x = draw(2, 9, 16);
    return () => appendTime(past, x);
  },
  multiHeadAttentionState(draw) {
    const params = { query: draw(16, 16), key: draw(16, 16), value: draw(16, 16), output: draw(16, 16) };
    return () => multiHeadAttentionState({ ...params, heads: 2 }, 3, 5);
  },
  lstmState(draw) {
    const params = { inputWeight: draw(64, 16), hiddenWeight: draw(64, 16), bias: draw(64) };
    return () => lstmState(params, 3);
  },
  "gradient of wkv"(draw) {
    const [gy, key, value, y] = [draw(2, 3, 32), draw(2, 3, 32), draw(2, 3, 32), draw(2, 3, 32)];
    const [decay, bonus, gState, state] = [draw(32), draw(32), draw(2, 4, 32), draw(2, 4, 32)];
    return () => runBackward(wkvOp, [gy, gState, decay, bonus, key, value, state, y]);
  },
  "gradient of attention"(draw) {
    const [gy, query, key, value, y] = Array.from({ length: 5 }, () => draw(2, 9, 16));
    return () => runBackward(attentionOp, [gy, query, key, value, undefined!, y], [2, 1]);
  },
  "gradient of appendTime"(draw) {
    const gy = draw(2, 9, 16);
    return () => run(sliceTimeOp, [gy], [0, 4]);
  },
  "gradient of sliceState"(draw) {
    const gy = draw(2, 16);
    return () => run(padBatchOp, [gy], [1, 9]);
  },
  "adamW.init"(draw) {
    const params = [draw(100), draw(50)];
    return () => adamW.init(params);
  },
  "adamW.update"(draw) {
    const params = [draw(100), draw(50)], state = adamW.init(params);
    return () => adamW.update(params, state, params, { learningRate: 1 });
  },
};

for (const [name, prepare] of Object.entries(operations)) {
  Deno.test(`createWasm() has unchanged memory after ${name} failed to allocate, at any point`, async () => {
    using backend = engineOf(await createWasm({ maximumBytes: 2 ** 19 }));
    const run = prepare((...shape) => zeros(shape, backend));
    const fillers: Tensor[] = [];
    assertThrows(() => {
      for (;;) fillers.push(backend.reserveTime(1, 16, 1));
    }, RangeError);
    let refused = 0;
    for (;;) {
      const { bytes } = backend.memory();
      try {
        backend.free(run());
        break;
      } catch (error) {
        assert(
          error instanceof RangeError && error.message.startsWith("Cannot allocate tensor: "),
          String(error),
        );
        assertEquals(backend.memory().bytes, bytes, `after ${refused} blocks of room`);
      }
      refused++;
      // The newest blocks are adjacent.
      backend.free(fillers.pop());
    }
    assert(refused > 3, `${refused} times`);
  });
}

Deno.test("createWasm() refuses a cache of little more than 4 GiB, and overwrites nothing", async () => {
  using backend = engineOf(await createWasm());
  const nines = tensor(new Float32Array(64).fill(9), [64], backend);
  const { bytes } = backend.memory();
  const steps = 2 ** 25 + 1;
  assertThrows(
    () => backend.reserveTime(1, steps, 32),
    RangeError,
    `Cannot allocate tensor: WebAssembly memory must have room for ${
      2 ** 32 + 128
    } bytes, current use is ${bytes} of ${2 ** 32 - 2 ** 16} bytes`,
  );
  const after = tensor(new Float32Array(64).fill(5), [64], backend);
  assertSame(await read(nines), new Float32Array(64).fill(9));
  backend.free(after);
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("createWasm() predicts the same after a prompt that exceeded its memory", async () => {
  using backend = await createWasm();
  const config = { vocabulary: 65_536, layers: 1, channels: 2, feedForward: 2 };
  const large = await put(rwkv.init(config, 1), backend);
  const small = await put(rwkv.init(presets.matched.rwkv, 1), backend);
  const predict = async () => {
    const { logits, state } = rwkv.forward(small, [[1, 2, 3]], rwkv.initialState(small));
    const numbers = await read(logits);
    backend.free([logits, state]);
    return numbers;
  };
  const before = await predict(), state = rwkv.initialState(large), { bytes } = backend.memory();
  const prompt = new Uint16Array(16_385);
  assertThrows(
    () => rwkv.forward(large, [prompt], state),
    RangeError,
    `Cannot allocate tensor: WebAssembly memory must have room for ${
      2 ** 32 + 2 ** 18
    } bytes, current use is `,
  );
  assertEquals(backend.memory().bytes, bytes);
  assertSame(await predict(), before);
  assertEquals(rwkv.forward(large, [prompt.subarray(0, 5)], state).logits.shape, [1, 5, 65_536]);
});

testOnAll("sample() with a topK of any size keeps that many", async (backend) => {
  const logits = tensor([1, 1.1, 1, 1], [1, 4], backend);
  for (const topK of [4, 2 ** 31, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    const draws = new Set<number>();
    for (let step = 0; step < 40; step++) {
      const ids = sample(logits, { topK }, step);
      draws.add((await read(ids))[0]);
      backend.free(ids);
    }
    assertEquals([...draws].sort(), [0, 1, 2, 3], `topK ${topK}`);
  }
});

Deno.test("createReference() reports the engine's limit, and the bytes in use", () => {
  for (const [precision, width] of [["float32", 4], ["float64", 8]] as const) {
    using backend = engineOf(createReference({ precision }));
    const t = tensor([1, 2, 3], [3], backend);
    const error = assertThrows(() => backend.reserveTime(1, 2 ** 45, 1), RangeError);
    assertEquals(
      error.message,
      `Cannot allocate tensor: host memory must have room for ${width * 2 ** 45} bytes, current use is ${
        3 * width
      } bytes and the limit the engine's`,
    );
    assertInstanceOf(error.cause, RangeError);
    assertEquals(backend.memory().bytes, 3 * width);
    backend.free(t);
    assertThrows(() => backend.reserveTime(1, 2 ** 45, 1), RangeError, "current use is 0 bytes");
  }
});

Deno.test("createReference() reports the engine's limit for the working memory of its kernels", () => {
  using backend = createReference();
  const most = Number.MAX_SAFE_INTEGER;
  const empty = (...shape: number[]) => tensor([], shape, backend);
  const [query, keys, gates, steps, none] = [
    ...[empty(1, 1, 0), empty(1, most, 0), empty(0, most, 4), empty(0, most, 1), empty(0)],
  ];
  const [weight, cell, state] = [tensor([1, 2, 3, 4], [4, 1], backend), empty(0, 1), empty(1, 4, 0)];
  const { bytes } = backend.memory();
  const calls = [
    () => attention(query, keys, keys, 1),
    () => runBackward(attentionOp, [query, query, keys, keys, undefined!, query], [1, 1]),
    () => runBackward(wkvOp, [keys, state, none, none, keys, keys, state, keys]),
    () => run(lstmRecurrenceBackwardOp, [steps, cell, cell, gates, weight, cell]),
  ];
  for (const call of calls) {
    assertThrows(call, RangeError, "Cannot compute: host memory must have room for ");
    assertEquals(backend.memory().bytes, bytes);
  }
});

Deno.test("sampleSequences(), trainAndTest() and motifTask() refuse sizes beyond the limits of lists and arrays", () => {
  const task = motifTask({}, 1);
  const most = Number.MAX_SAFE_INTEGER;
  const calls: [run: () => unknown, message: string][] = [
    [
      () => sampleSequences(task, { count: 1, length: 2 ** 48, seed: 1 }),
      `Cannot sample sequences: host memory must have room for ${2 ** 49} bytes`,
    ],
    [
      () => sampleSequences(task, { count: 2 ** 32, length: 2, seed: 1 }),
      "Cannot sample sequences: count must be at most 4294967295",
    ],
    [
      () => trainAndTest(task, { train: most, test: 0, length: 2, seed: 1 }),
      "Cannot draw train and test sets: train must be at most 4294967295",
    ],
    [
      () => trainAndTest(task, { train: 0, test: most, length: 2, seed: 1 }),
      "Cannot draw train and test sets: test must be at most 4294967295",
    ],
    [() => motifTask({ motifs: most }, 1), "Cannot make a motif task: motifs must be at most 4294967295"],
    [() => motifTask({ motifLength: most }, 1), "Cannot make a motif task: motifLength must be at most"],
  ];
  for (const [run, message] of calls) assertThrows(run, RangeError, message);
});

Deno.test("shared arrays beyond the engine's limits are refused with a message", () => {
  assertThrows(
    () => sharedNumbers(Float32Array, 2 ** 50),
    RangeError,
    `Cannot fit: host memory must have room for ${2 ** 52} bytes`,
  );
  assertThrows(
    () => ownNumbers(Float64Array, 2 ** 50),
    RangeError,
    `Cannot fit: host memory must have room for ${2 ** 53} bytes`,
  );
});
