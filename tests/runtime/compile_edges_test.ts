/** Unusual ways of calling a compiled function, in all of which it must do what the function does. */
import { Buffer } from "node:buffer";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  adamW,
  add,
  appendTime,
  compile,
  createReference,
  createWasm,
  embedding,
  lastStep,
  linear,
  multiply,
  presets,
  put,
  read,
  readFloat64,
  rwkv,
  sigmoid,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { testOnAll } from "../helpers.ts";

testOnAll(
  "compile() notices a tied tensor among known arguments, whatever used them since",
  async (backend) => {
    const a = { w: tensor([2], [1], backend) },
      c = { w: tensor([3], [1], backend) },
      x = tensor([1], [1, 1], backend);
    const f = (a: { w: Tensor }, c: { w: Tensor }, x: Tensor) =>
      valueAndGrad(({ a, c }) => linear(multiply(a.w, c.w), x), { a, c }).grads;
    using step = compile(f);
    using other = compile((a: { w: Tensor }) => add(a.w, a.w));
    for (let i = 0; i < 3; i++) step(a, c, x);
    other(a), other(a);
    const { a: { w: first }, c: { w: second } } = step(a, { w: a.w }, x);
    assertStrictEquals(first, second);
    assertEquals([...await read(first)], [4]);
  },
);

testOnAll("compile() with one cache in two places grows it as the function does", async (backend) => {
  const f = (
    p: { k: Tensor },
    q: { k: Tensor },
    x: Tensor,
    y: Tensor,
  ) => [appendTime(p.k, x), appendTime(q.k, y)];
  using step = compile(f);
  const cacheOf = (...steps: number[]) => {
    let cache = appendTime(tensor([], [1, 0, 1], backend), tensor([steps[0]], [1, 1, 1], backend));
    for (const step of steps.slice(1)) cache = appendTime(cache, tensor([step], [1, 1, 1], backend));
    return { k: cache };
  };
  const [x, y] = [8, 9].map((value) => tensor([value], [1, 1, 1], backend));
  const p = cacheOf(1, 2), q = cacheOf(3, 4);
  for (let i = 0; i < 3; i++) backend.free(step(p, q, x, y));
  const [one, two] = step(p, { k: p.k }, x, y);
  assertEquals([[...await read(one)], [...await read(two)]], [[1, 2, 8], [1, 2, 9]]);
});

testOnAll(
  "compile() does not overwrite what follows a cache that the function closes over",
  async (backend) => {
    const step = (value: number) => tensor([value], [1, 1, 1], backend);
    const past = appendTime(appendTime(tensor([], [1, 0, 1], backend), step(1)), step(2));
    // Appends in place, reads and drops the result: another call must not overwrite what others append.
    using last = compile((x: Tensor) => lastStep(appendTime(past, x)));
    assertEquals([...await read(last(step(7)))], [7]);
    const longer = appendTime(past, step(3));
    for (let i = 0; i < 3; i++) {
      assertEquals([...await read(last(step(8 + i)))], [8 + i]);
      assertEquals([...await read(longer)], [1, 2, 3]);
    }
  },
);

testOnAll("compile() stays unbound after a call whose arguments threw", async (backend) => {
  const of = (value: number) => ({ w: tensor([value], [1], backend) });
  const first = of(5), second = of(100);
  using step = compile((p: { w: Tensor }, x: { readonly w: Tensor }) => add(p.w, x.w));
  const x = of(1);
  for (let i = 0; i < 3; i++) step(first, x);
  const bad = {
    get w(): Tensor {
      throw new Error("no such weight");
    },
  };
  assertThrows(() => step(second, bad), Error, "no such weight");
  assertEquals([...await read(step(first, x))], [6]);
});

testOnAll("compile() of a function that catches errors of ids does the same", async (backend) => {
  const table = tensor([1, 2, 3], [3, 1], backend), zero = tensor([0], [1, 1, 1], backend);
  const f = (table: Tensor, ids: readonly number[][]) => {
    try {
      return embedding(ids, table);
    } catch {
      return add(zero, zero);
    }
  };
  for (const order of [[9, 2, 9, 1], [2, 9, 1, 9]]) {
    using step = compile(f);
    for (const id of order) assertEquals([...await read(step(table, [[id]]))], [id === 9 ? 0 : id + 1]);
  }
});

testOnAll("compile() checks ids after a function that was compiled for another backend", async (backend) => {
  using other = createReference();
  using inner = compile((x: Tensor) => add(x, x));
  const table = tensor([1, 2, 3], [3, 1], backend), elsewhere = tensor([1], [1], other);
  using step = compile((table: Tensor, ids: readonly number[][]) => {
    inner(elsewhere);
    return embedding(ids, table);
  });
  for (let i = 0; i < 2; i++) assertEquals([...await read(step(table, [[i]]))], [i + 1]);
  assertThrows(() => step(table, [[9]]), RangeError, "current id is 9");
});

testOnAll(
  "compile() gives a function the lengths of its lists, but not their numbers",
  async (backend) => {
    const table = tensor([1, 2, 3], [3, 1], backend);
    using step = compile((table: Tensor, ids: readonly number[][]) => ({
      y: embedding(ids, table),
      count: ids.length,
      time: ids[0].length,
      ids,
    }));
    for (const ids of [[[0, 1]], [[1], [2]], [[2, 1]]]) {
      const { y, count, time, ids: same } = step(table, ids);
      assertEquals([y.shape, count, time], [[ids.length, ids[0].length, 1], ids.length, ids[0].length]);
      assertStrictEquals(same, ids);
      assertEquals([...await read(y)], ids.flat().map((id) => id + 1));
    }
    using looking = compile((table: Tensor, ids: readonly number[][]) => embedding([[ids[0][0]]], table));
    assertThrows(
      () => looking(table, [[0]]),
      TypeError,
      "Cannot compile: f must not look at the numbers of its lists, which change from call to call; current one reads element 0",
    );
  },
);

testOnAll("compile() allows any values in arguments and results", async (backend) => {
  const x = tensor([1], [1, 1, 1], backend), sparse: (Tensor | undefined)[] = [];
  sparse[1] = x;
  using step = compile((x: Tensor, ..._: unknown[]) => ({
    grown: appendTime(x, x),
    sparse,
    none: undefined,
  }));
  const cache = appendTime(x, x);
  for (
    const other of [1n, Symbol.for("a"), Symbol("b"), null, undefined, new Map(), () => 1, [], {}, [[]], [
      [1],
      [2, 3],
    ], NaN]
  ) {
    for (let i = 0; i < 3; i++) {
      const { grown, sparse: [hole, same] } = step(cache, other);
      assertEquals([...await read(grown)].length, 4);
      assertEquals([hole, same], [undefined, x]);
      backend.free(grown);
    }
  }
  assertThrows(() => step(cache, [[1, , 2]]) && embedding([[1, , 2]] as never, x), Error);
});

testOnAll("compile() of a function that frees its arguments calls it unchanged", async (backend) => {
  using step = compile((x: Tensor) => {
    const y = add(x, x);
    backend.free(x);
    return y;
  });
  for (let i = 0; i < 3; i++) {
    const x = tensor([i], [1], backend);
    assertEquals([...await read(step(x))], [2 * i]);
    assertThrows(() => add(x, x), TypeError, "must be alive");
  }
});

Deno.test("withTurns() of compile() requires a list of arguments", async () => {
  using step = compile((x: Tensor) => add(x, x));
  const x = tensor([1], [1]);
  await assertRejects(() => step.withTurns(x as never), TypeError, "args must be the list of its arguments");
  await assertRejects(
    () => (step.withTurns as () => Promise<Tensor>)(),
    TypeError,
    "current value is undefined",
  );
});

for (const [name, create] of [["reference", createReference], ["wasm", createWasm]] as const) {
  Deno.test(`compile() leaves nothing allocated when gradients overflow, on ${name}`, async () => {
    using backend = await create();
    const params = { w: tensor(new Float32Array(64), [64], backend) };
    const state = { ...adamW.init(params), step: tensor([0], [], backend) };
    using step = compile((params: { w: Tensor }, grads: { w: Tensor }, optimizer: typeof state) =>
      adamW.update(grads, optimizer, params, { learningRate: 1 })
    );
    const grads = (value: number) => ({ w: tensor(new Float32Array(64).fill(value), [64], backend) });
    const small = grads(1), large = grads(1e30);
    backend.free(step(params, small, state));
    const { bytes } = backend.memory();
    for (let i = 0; i < 5; i++) {
      assertThrows(() => step(params, large, state), RangeError, "current gradient of w overflows");
      assertEquals(backend.memory().bytes, bytes);
    }
    backend.free(step(params, small, state));
    assertEquals(backend.memory().bytes, bytes);
  });

  Deno.test(`compile() frees the memory of a disposed function, whatever else is compiled, on ${name}`, async () => {
    using backend = await create();
    const x = tensor(new Float32Array(50_000), [50_000], backend), y = tensor([1], [1], backend);
    using small = compile((y: Tensor) => add(sigmoid(y), y));
    backend.free(small(y));
    const { bytes } = backend.memory();
    {
      using large = compile((x: Tensor) => add(sigmoid(x), sigmoid(sigmoid(x))));
      backend.free(large(x));
      assert(backend.memory().bytes > bytes + 200_000);
    }
    assertEquals(backend.memory().bytes, bytes);
  });
}

Deno.test("compile() runs wherever there is memory for the function itself", async () => {
  const config = { ...presets.matched.rwkv, vocabulary: 64 };
  const prompts = Array.from({ length: 48 }, (_, i) => [Array.from({ length: i + 1 }, (_, t) => t % 64)]);
  /** The most bytes in use for prompts of all lengths, without compile. */
  const peak = await (async () => {
    using backend = await createWasm();
    const params = await put(rwkv.init(config, 1), backend), state = rwkv.initialState(params);
    for (const prompt of prompts) backend.free(rwkv.forward(params, prompt, state));
    return backend.memory().peakBytes;
  })();
  using backend = await createWasm({ maximumBytes: Math.ceil((peak + 100_000) / 65_536) * 65_536 + 65_536 });
  const params = await put(rwkv.init(config, 1), backend), state = rwkv.initialState(params);
  const { bytes } = backend.memory();
  {
    using step = compile(rwkv.forward);
    for (const prompt of [...prompts, ...prompts]) {
      const { logits, state: next } = step(params, prompt, state);
      assertEquals(logits.shape[1], prompt[0].length);
      backend.free([logits, next]);
    }
  }
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("compile() on a float64 reference keeps double precision", async () => {
  using backend = createReference({ precision: "float64" });
  const x = tensor([0.1], [1], backend);
  using step = compile((x: Tensor) => sigmoid(x));
  const expected = await readFloat64(sigmoid(x));
  for (let i = 0; i < 3; i++) assertEquals(await readFloat64(step(x)), expected);
});

Deno.test("a compiled function sees changed numbers of typed arrays among its arguments, Node's Buffers too", async () => {
  const step = compile((x: Tensor, { mask }: { mask: Uint8Array }) =>
    mask[0] === 1 ? add(x, x) : multiply(x, x)
  );
  using backend = await createWasm();
  const x = tensor([3], [1], backend);
  for (const mask of [Buffer.from([1]), Uint8Array.of(1)]) {
    const options = { mask };
    for (const [first, value] of [[1, 6], [1, 6], [0, 9], [1, 6]]) {
      mask[0] = first;
      assertEquals([...await read(step(x, options))], [value]);
    }
    // What the caller changes while the event loop turns has no effect.
    const later = compile((x: Tensor, { mask }: { mask: Uint8Array }) => mask[0] === 1 ? add(x, x) : x);
    const running = later.withTurns([x, options]);
    mask[0] = 0;
    assertEquals([...await read(await running)], [6]);
    mask[0] = 1;
  }
});
