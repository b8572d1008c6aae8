import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  add,
  appendTime,
  attention,
  type Backend,
  createReference,
  crossEntropy,
  embedding,
  gelu,
  lastStep,
  layerNorm,
  linear,
  lstm,
  lstmRecurrence,
  lstmState,
  mix,
  multiHeadAttention,
  multiHeadAttentionState,
  multiply,
  negativeExp,
  put,
  read,
  readFloat64,
  rotary,
  sample,
  shiftTime,
  sigmoid,
  sliceState,
  softmax,
  squaredRelu,
  stackStates,
  tanh,
  type Tensor,
  tensor,
  wkv,
} from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { sizeOf, tensorsOf } from "../../src/tree.ts";
import { backends } from "../backends.ts";
import { assertSame, testOnAll } from "../helpers.ts";
import { attentionParams, draws, models } from "../mixers.ts";

function zeros(shape: readonly number[], backend: Backend): Tensor {
  return tensor(new Float32Array(sizeOf(shape)), shape, backend);
}

function bytesOf(backend: Backend): number {
  return backend.memory().bytes;
}

testOnAll("memory() counts at least the tensors' bytes, and 0 once they are freed", (backend) => {
  assertEquals(backend.memory(), { bytes: 0, peakBytes: 0 });
  for (const size of [1, 7, 1000, 50_000]) {
    const t = zeros([size], backend);
    const { bytes } = backend.memory();
    assert(bytes >= 4 * size && bytes <= 4 * size * 1.5 + 128, `${bytes} bytes for ${size} numbers`);
    backend.free(t);
    assertEquals(bytesOf(backend), 0);
  }
});

testOnAll("memory() keeps the peak, including intermediate results", (backend) => {
  const x = zeros([1000], backend);
  const unit = bytesOf(backend);
  const y = backend.scope(() => tanh(sigmoid(x)));
  assertEquals(backend.memory(), { bytes: 2 * unit, peakBytes: 3 * unit });
  backend.free(y);
  assertEquals(backend.memory(), { bytes: unit, peakBytes: 3 * unit });
});

testOnAll("resetPeak() sets the peak to the current use", (backend) => {
  const x = zeros([1000], backend);
  const unit = bytesOf(backend);
  backend.free(sigmoid(x));
  backend.resetPeak();
  assertEquals(backend.memory(), { bytes: unit, peakBytes: unit });
  backend.free(sigmoid(x));
  assertEquals(backend.memory(), { bytes: unit, peakBytes: 2 * unit });
});

/** Every operation, with the shapes of its tensors. */
const operations: readonly [
  name: string,
  shapes: readonly (readonly number[])[],
  run: (...t: Tensor[]) => unknown,
][] = [
  ["add", [[2], [2]], add],
  ["multiply", [[2], [2]], multiply],
  ["mix", [[1, 2], [1, 2], [2]], mix],
  ["sigmoid", [[2]], sigmoid],
  ["tanh", [[2]], tanh],
  ["squaredRelu", [[2]], squaredRelu],
  ["gelu", [[2]], gelu],
  ["negativeExp", [[2]], negativeExp],
  ["softmax", [[1, 2]], softmax],
  ["linear", [[1, 2], [3, 2], [3]], linear],
  ["layerNorm", [[1, 2], [2], [2]], (x, weight, bias) => layerNorm(x, { weight, bias })],
  ["embedding", [[3, 2], [1, 1]], embedding],
  ["shiftTime", [[1, 3, 2], [1, 2]], shiftTime],
  ["lastStep", [[1, 3, 2]], lastStep],
  ["appendTime", [[1, 3, 2], [1, 1, 2]], appendTime],
  [
    "wkv",
    [[2], [2], [1, 3, 2], [1, 3, 2], [1, 4, 2]],
    (decay, bonus, key, value, state) => wkv({ decay, bonus }, { key, value }, state),
  ],
  ["rotary", [[1, 3, 4]], (x) => rotary(x, { heads: 2 })],
  ["attention", [[1, 1, 4], [1, 3, 4], [1, 3, 4]], (query, key, value) => attention(query, key, value, 2)],
  [
    "lstmRecurrence",
    [[1, 3, 8], [8, 2], [1, 2], [1, 2]],
    (gates, weight, hidden, cell) => lstmRecurrence(gates, weight, { hidden, cell }),
  ],
  ["crossEntropy", [[1, 3, 4], [1, 3], [1, 3]], crossEntropy],
  ["sample", [[1, 4], []], (logits, step) => sample(logits, {}, step)],
  ["stackStates", [[1, 2], [1, 2]], (a, b) => stackStates([{ a }, { a: b }])],
  ["sliceState", [[2, 2]], (state) => sliceState({ state }, 1)],
];

/** The action in the message of an error. */
const requirementOf = ({ message }: Error) => message.replace(/^Cannot [^:]+: /, "");

const freedWords = (t: Tensor, backend: Backend) =>
  `tensor must be alive, current tensor of shape [${t.shape.join(", ")}] on ${backend.name} was freed`;

testOnAll("free() makes every operation refuse the tensor, as any of its inputs", (backend) => {
  for (const [name, shapes, run] of operations) {
    for (const i of shapes.keys()) {
      const tensors = shapes.map((shape) => zeros(shape, backend));
      backend.free(tensors[i]);
      const error = assertThrows(() => backend.scope(() => run(...tensors)), TypeError);
      assertEquals(requirementOf(error), freedWords(tensors[i], backend), `argument ${i} of ${name}`);
      backend.free(tensors);
      assertEquals(bytesOf(backend), 0, `bytes after ${name}`);
    }
  }
});

testOnAll("free() makes read, readFloat64 and put refuse the tensor", async (backend) => {
  const t = zeros([2, 3], backend);
  backend.free(t);
  using another = createReference();
  for (const use of [() => read(t), () => readFloat64(t), () => put({ deep: [t] }, another)]) {
    assertEquals(requirementOf(await assertRejects(use, TypeError)), freedWords(t, backend));
  }
});

testOnAll("free() makes every layer of a model refuse its state and its parameters", async (backend) => {
  for (const { name, model, make } of models) {
    for (const part of ["state", "params"]) {
      const count = tensorsOf(part === "state" ? model.initialState(make(1)) : make(1)).length;
      for (let i = 0; i < count; i++) {
        const params = await put(make(1), backend);
        const state = model.initialState(params, 2);
        const victim = tensorsOf(part === "state" ? state : params)[i];
        backend.free(victim);
        const error = assertThrows(() => model.forward(params, [[1], [2]], state), TypeError);
        assertEquals(
          requirementOf(error),
          freedWords(victim, backend),
          `tensor ${i} of the ${part} of ${name}`,
        );
        backend.free([params, state]);
        assertEquals(bytesOf(backend), 0);
      }
    }
  }
});

/** A layer of attention, and a session with `time` steps in a cache with a capacity of `capacity`. */
async function session(backend: Backend, time: number, capacity: number) {
  const params = await put({ ...attentionParams(1), rotaryBase: 100 }, backend);
  const x = await put(draws(2, [1, 1, 12]), backend);
  const step = (state: ReturnType<typeof multiHeadAttentionState>) => multiHeadAttention(params, x, state);
  let state = multiHeadAttentionState(params, 1, capacity);
  for (let i = 0; i < time; i++) {
    const { y, state: next } = step(state);
    backend.free([y, state]);
    state = next;
  }
  return { params, x, step, state };
}

testOnAll("memory() counts the capacity of a cache, not its length", async (backend) => {
  const { params, x, step, state } = await session(backend, 0, 256);
  const held = bytesOf(backend);
  assert(held >= 2 * 4 * 256 * 12, `${held} bytes`);
  let { y, state: next } = step(state);
  backend.free(y);
  for (let i = 1; i < 256; i++) {
    const after = step(next);
    backend.free([after.y, next]);
    next = after.state;
    assertEquals(bytesOf(backend), held);
  }
  assertEquals(next.key.shape, [1, 256, 12]);
  backend.free([params, x, state, next]);
  assertEquals(bytesOf(backend), 0);
});

testOnAll("memory() stays constant when one step is repeated from the same state", async (backend) => {
  const { step, state } = await session(backend, 200, 256);
  const cache = 2 * 4 * 200 * 12;
  const before = await read(state.key);
  const { bytes } = backend.memory();
  backend.free(step(state));
  backend.resetPeak();
  for (let i = 0; i < 50; i++) {
    const next = step(state);
    assertEquals(next.state.key.shape, [1, 201, 12]);
    backend.free(next);
    assertEquals(bytesOf(backend), bytes);
  }
  // A copy of the cache would show in the peak.
  const above = backend.memory().peakBytes - bytes;
  assert(above < cache / 4, `${above} bytes above the bytes held, the cache has ${cache}`);
  assertSame(await read(state.key), before);
});

testOnAll(
  "memory() grows by a copy of the cache only while two sessions continue from one state",
  async (backend) => {
    const { step, state } = await session(backend, 200, 256);
    const cache = 2 * 4 * 200 * 12, small = cache / 4;
    const grownBy = (make: () => { y: Tensor; state: { key: Tensor; value: Tensor } }) => {
      const { bytes } = backend.memory();
      const { y, state } = make();
      backend.free(y);
      return { state, bytes: bytesOf(backend) - bytes };
    };
    const newest = grownBy(() => step(state));
    assertEquals(newest.bytes, 0);
    const second = grownBy(() => step(state));
    assert(second.bytes >= cache, `${second.bytes} bytes`);
    assertEquals([...await read(second.state.key)], [...await read(newest.state.key)]);

    // Each continues in memory of its own.
    const newestOn = grownBy(() => step(newest.state)), secondOn = grownBy(() => step(second.state));
    assert(newestOn.bytes < small && secondOn.bytes < small);
    assertEquals([...await read(secondOn.state.key)], [...await read(newestOn.state.key)]);

    // The rows of the newest are released once nothing uses them.
    backend.free([newest.state, newestOn.state]);
    const third = grownBy(() => step(state));
    assertEquals(third.bytes, 0);
    assertEquals([...await read(third.state.key)], [...await read(second.state.key)]);
  },
);

testOnAll("memory() counts a cache until the last tensor over it is freed", async (backend) => {
  const { params, x, step, state } = await session(backend, 20, 256);
  const { bytes } = backend.memory();
  const { y, state: next } = step(state);
  backend.free(y);
  backend.free(state);
  assertEquals(bytesOf(backend), bytes);
  assertEquals(next.key.shape, [1, 21, 12]);
  assertThrows(() => step(state), TypeError, "was freed");
  backend.free(step(next));
  backend.free(next);
  assert(bytesOf(backend) <= bytes - 2 * 4 * 256 * 12);
  backend.free([params, x]);
  assertEquals(bytesOf(backend), 0);
});

testOnAll(
  "memory() of a cache that exceeds its capacity stays near its size, and is rarely copied",
  async (backend) => {
    const { params, x, step, state } = await session(backend, 0, 0);
    backend.free(state);
    const base = bytesOf(backend);
    let current = multiHeadAttentionState(params), copies = 0, held = bytesOf(backend);
    for (let time = 1; time <= 400; time++) {
      const { y, state: next } = step(current);
      backend.free([y, current]);
      current = next;
      if (bytesOf(backend) !== held) copies++;
      held = bytesOf(backend);
      const most = 1.6 * 2 * 4 * (time + 20) * 12 + 256;
      assert(held - base <= most, `${held - base} bytes at ${time}`);
    }
    assert(copies >= 2 && copies <= 40, `${copies} copies`);
    backend.free([params, x, current]);
    assertEquals(bytesOf(backend), 0);
  },
);

testOnAll("read() and sliceState() of a cache allocate only their result", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const x = await put(draws(2, [3, 5, 12]), backend);
  const { state } = multiHeadAttention(params, x, multiHeadAttentionState(params, 3, 9));
  const { bytes } = backend.memory();
  await read(state.key);
  backend.free(sliceState(state, 1));
  backend.free(stackStates([state, state]));
  using another = createReference();
  await put(state, another);
  assertEquals(bytesOf(backend), bytes);
});

testOnAll("memory() is constant over very many steps without a turn, outside all scopes", async (backend) => {
  const params = await put(
    { inputWeight: draws(1, [4, 1]), hiddenWeight: draws(2, [4, 1]), bias: draws(3, [4]) },
    backend,
  );
  const x = zeros([1, 1, 1], backend);
  let state = lstmState(params);
  const step = () => {
    const { y, state: next } = lstm(params, x, state);
    backend.free([y, state]);
    state = next;
  };
  step();
  const memory = backend.memory();
  // A dispatch to a GPU costs as much as a thousand of these numbers.
  const rounds = backend.name === "webgpu" ? 10 : 100;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 1000; i++) step();
    assertEquals(backend.memory(), memory);
  }
});

testOnAll("[Symbol.dispose]() frees everything, and nothing can be used afterwards", async (own) => {
  for (const { create } of backends) {
    let ended: Backend, x: Tensor, cache: Tensor;
    {
      using backend = await create();
      ended = backend;
      x = zeros([2], backend);
      cache = engineOf(backend).reserveTime(1, 50, 2);
      assert(bytesOf(backend) > 0);
    }
    assertEquals(bytesOf(ended), 0);
    const closed = `Cannot make tensor: backend must be open, current ${ended.name} is disposed`;
    assertThrows(() => zeros([2], ended), TypeError, closed);
    await assertRejects(() => put(draws(1, [2]), ended), TypeError, closed);
    const gone = `on ${ended.name} was disposed of with its backend`;
    assertThrows(() => sigmoid(x), TypeError, gone);
    assertThrows(() => appendTime(cache, cache), TypeError, gone);
    await assertRejects(() => read(x), TypeError, gone);
    await assertRejects(() => put(x, own), TypeError, gone);
    ended.free([x, cache]);
    ended[Symbol.dispose]();
    assertEquals(bytesOf(ended), 0);
  }
});

testOnAll(
  "two backends have independent memory counts and lifetimes, and refuse each other's tensors",
  async (one) => {
    for (const { create } of backends) {
      const other = await create();
      const x = zeros([2], one);
      const { bytes } = one.memory();
      const y = zeros([2000], other);
      assertEquals(bytesOf(one), bytes);
      assert(bytesOf(other) >= 8000);

      const name = other.name === one.name ? `another ${other.name}` : other.name;
      const error = assertThrows(() => add(x, zeros([2], other)), TypeError);
      assertEquals(
        error.message,
        "Cannot add: all tensors must live on one backend (move them with put), " +
          `current a lives on ${one.name} and b on ${name}`,
      );
      other.free(y);
      assertEquals(bytesOf(one), bytes);
      other[Symbol.dispose]();
      assertSame(await read(sigmoid(x)), [0.5, 0.5]);
      one.free(x);
    }
  },
);

for (const { name } of backends) {
  Deno.test(`memory() decreases when unreachable tensors are collected on ${name}`, async () => {
    const script = new URL("collected.ts", import.meta.url).pathname;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script, name],
    }).output();
    const text = new TextDecoder().decode(stdout);
    // A graphics driver may write to stderr without an error.
    assert(success, new TextDecoder().decode(stderr));
    const { held, leaked, left, afterFree, survivor } = JSON.parse(text);
    // The latest few hundred tensors are not registered with the collector, since most are freed explicitly soon.
    assert(leaked > 2_000_000 && left < leaked / 5, text);
    assertEquals(afterFree, held, text);
    assertEquals(survivor, [0.5, 0.5], text);
  });
}
