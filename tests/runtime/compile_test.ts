/**
 * A compiled function does what the function does: the same results bit for bit, and the same errors, after any
 * calls.
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  adamW,
  add,
  type AnyLanguageModel,
  type Backend,
  clipByGlobalNorm,
  compile,
  createReference,
  createWasm,
  crossEntropy,
  embedding,
  linear,
  lstmModel,
  multiply,
  put,
  read,
  rwkv,
  sigmoid,
  tanh,
  type Tensor,
  tensor,
  transformer,
  valueAndGrad,
} from "@seqmix/seqmix";
import fc from "fast-check";
import { tensorsOf } from "../../src/tree.ts";
import { backends } from "../backends.ts";
import { draws } from "../mixers.ts";

const models: readonly { readonly model: AnyLanguageModel; readonly config: unknown }[] = [
  { model: rwkv as AnyLanguageModel, config: { vocabulary: 9, layers: 2, channels: 6, feedForward: 7 } },
  {
    model: transformer as AnyLanguageModel,
    config: { vocabulary: 9, layers: 2, channels: 6, heads: 1, feedForward: 7 },
  },
  { model: lstmModel as AnyLanguageModel, config: { vocabulary: 9, layers: 2, channels: 5 } },
];

/** The bits of all tensors of a tree, with their shapes. */
async function bitsOf(tree: unknown): Promise<unknown> {
  return await Promise.all(
    tensorsOf(tree).map(async (t) => ({
      shape: [...t.shape],
      bits: [...new Uint32Array((await read(t)).buffer)],
    })),
  );
}

async function assertSame(actual: unknown, expected: unknown, message: string): Promise<void> {
  assertEquals(await bitsOf(actual), await bitsOf(expected), message);
}

/** What happens to a session next: it continues with tokens, is forked, or is freed. */
const action = fc.record({
  session: fc.nat(3),
  what: fc.constantFrom("step", "step", "step", "step", "fork", "free") as fc.Arbitrary<
    "step" | "fork" | "free"
  >,
  ids: fc.array(fc.nat(8), { minLength: 1, maxLength: 3 }),
  logits: fc.constantFrom("all", "last") as fc.Arbitrary<"all" | "last">,
});

for (const { name, create } of backends) {
  const runs = name === "webgpu" ? 4 : 25;
  for (const { model, config } of models) {
    Deno.test(`compile() of ${model.name} equals the function bit for bit, whatever is done with states, on ${name}`, async () => {
      using backend = await create();
      const params = await put(model.init(config, 1), backend);
      await fc.assert(
        fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60 }), async (actions) => {
          using step = compile((
            params: unknown,
            ids: readonly number[][],
            state: unknown,
            options: { logits: "all" | "last" },
          ) => model.forward(params, ids, state, options));
          const start = () => ({ own: model.initialState(params), compiled: model.initialState(params) });
          const sessions = [start()];
          for (const { session, what, ids, logits } of actions) {
            const at = session % sessions.length, { own, compiled } = sessions[at];
            if (what === "fork" && sessions.length < 4) {
              sessions.push({ own, compiled });
            } else if (what === "free" && sessions.length > 1) {
              sessions.splice(at, 1);
              // A fork has the same tensors.
              if (sessions.every((other) => other.own !== own)) backend.free([own, compiled]);
            } else {
              const expected = model.forward(params, [ids], own, { logits });
              const actual = step(params, [ids], compiled, { logits });
              await assertSame(actual, expected, `${what} of session ${at}`);
              if (sessions.filter((other) => other.own === own).length === 1) backend.free([own, compiled]);
              sessions[at] = { own: expected.state, compiled: actual.state };
              backend.free([actual.logits, expected.logits]);
            }
          }
          // The forked session is unchanged.
          for (const { own, compiled } of sessions) await assertSame(compiled, own, "state");
          for (const { own, compiled } of sessions) backend.free([own, compiled]);
        }),
        { numRuns: runs, endOnFailure: true },
      );
      assertEquals(
        backend.memory().bytes,
        tensorsOf(params).reduce((sum, t) => sum + bytesOf(backend, t), 0),
      );
    });

    Deno.test(`compile() of a training step of ${model.name} equals the function bit for bit, on ${name}`, async () => {
      using backend = await create();
      const train = (
        params: unknown,
        state: { step: Tensor; mean: unknown; variance: unknown },
        inputs: readonly number[][],
        targets: readonly number[][],
        learningRate: Tensor,
      ) => {
        const { value, grads } = valueAndGrad((params) => {
          const { logits } = model.forward(params, inputs, model.initialState(params, inputs.length));
          return crossEntropy(logits, targets);
        }, params);
        return { value, ...adamW.update(clipByGlobalNorm(grads, 0.5), state, params, { learningRate }) };
      };
      using step = compile(train);
      const first = await put(model.init(config, 2), backend);
      const begin = () => ({
        params: first,
        state: { ...adamW.init(first), step: tensor([0], [], backend) },
      });
      let own = begin(), compiled = begin();
      for (let i = 0; i < 4; i++) {
        const inputs = [[i, 1, 2, 3], [4, i, 5, 6]], targets = [[1, i, 7, 8], [5, 0, i, 2]];
        const rate = tensor([0.01 / (i + 1)], [], backend);
        const expected = backend.scope(() => train(own.params, own.state, inputs, targets, rate));
        const actual = i < 2
          ? step(compiled.params, compiled.state, inputs, targets, rate)
          : await step.withTurns([compiled.params, compiled.state, inputs, targets, rate]);
        await assertSame(actual, expected, `step ${i}`);
        own = expected, compiled = actual;
      }
    });
  }

  Deno.test(`compile() respects rows that others appended to a cache, on ${name}`, async () => {
    using backend = await create();
    const { model, config } = models[1];
    const params = await put(model.init(config, 3), backend);
    using step = compile((params: unknown, ids: readonly number[][], state: unknown) =>
      model.forward(params, ids, state)
    );
    let own = model.initialState(params), compiled = model.initialState(params);
    for (let i = 0; i < 60; i++) {
      const expected = model.forward(params, [[i % 9]], own), actual = step(params, [[i % 9]], compiled);
      await assertSame(actual.logits, expected.logits, `logits of step ${i}`);
      backend.free([own, compiled, expected.logits, actual.logits]);
      own = expected.state, compiled = actual.state;
    }
    await assertSame(compiled, own, "caches");
  });

  Deno.test(`compile() checks the capacity of a cache at every call, on ${name}`, async () => {
    using backend = await create();
    const { model, config } = models[1];
    const params = await put(model.init(config, 3), backend);
    const forward = (params: unknown, ids: readonly number[][], state: unknown) =>
      model.forward(params, ids, state);
    using step = compile(forward);
    const { state } = forward(params, [[1, 2, 3]], model.initialState(params));
    for (let i = 0; i < 12; i++) {
      // Sometimes another session has continued from the state, and uses the rows after it.
      const taken = i % 4 === 3 ? forward(params, [[5]], state) : null;
      const expected = forward(params, [[4]], state);
      const actual = step(params, [[4]], state);
      await assertSame(actual, expected, `call ${i}`);
      backend.free([expected, actual]);
      for (let again = 0; again < 2; again++) {
        const alone = step(params, [[4]], state);
        assertEquals(tensorsOf(alone).length, tensorsOf(expected).length);
        backend.free(alone);
      }
      backend.free(taken);
    }
  });

  Deno.test(`compile() notices a function that reads a cache's length, on ${name}`, async () => {
    using backend = await create();
    const { model, config } = models[1];
    const params = await put(model.init(config, 3), backend);
    const longer = (x: Tensor, state: { blocks: { key: Tensor }[] }) =>
      state.blocks[0].key.shape[1] % 3 === 2 ? add(x, x) : multiply(x, x);
    using step = compile((params: unknown, ids: readonly number[][], state: unknown) => {
      const { logits, state: next } = model.forward(params, ids, state);
      return { y: longer(logits, state as never), next };
    });
    let state: unknown = model.initialState(params);
    for (let i = 0; i < 20; i++) {
      const { logits } = model.forward(params, [[i % 9]], state), expected = longer(logits, state as never);
      const { y, next } = step(params, [[i % 9]], state);
      await assertSame(y, expected, `step ${i}`);
      state = next;
    }
  });

  Deno.test(`compile() returns constants, arguments and closed-over tensors as the function does, on ${name}`, async () => {
    using backend = await create();
    const closed = tensor([5, 6], [2], backend);
    const f = (x: Tensor, ids: readonly number[][], heads: number) => ({
      sum: add(x, closed),
      fresh: backend.scope(() => tensor([heads, 2], [2], backend)),
      same: x,
      again: [x, { closed }],
      ids,
      name: "f",
    });
    using step = compile(f);
    const x = tensor([1, 2], [2], backend), y = tensor([3, 4], [2], backend);
    for (const [t, heads] of [[x, 1], [y, 1], [x, 2], [y, 2], [x, 1]] as const) {
      const actual = step(t, [[heads, 7]], heads), expected = f(t, [[heads, 7]], heads);
      await assertSame([actual.sum, actual.fresh], [expected.sum, expected.fresh], "results");
      assertStrictEquals(actual.same, t);
      assertStrictEquals(actual.again[0], t);
      assertStrictEquals((actual.again[1] as { closed: Tensor }).closed, closed);
      assertEquals(actual.name, "f");
      assertEquals(actual.ids, [[heads, 7]]);
      backend.free([actual.sum, actual.fresh]);
    }
    // Freeing a result must not free what later calls use.
    assertEquals([...await read(step(x, [[1, 2]], 1).fresh)], [1, 2]);
  });

  Deno.test(`compile() distinguishes a tensor in two places from two tensors, on ${name}`, async () => {
    using backend = await create();
    const f = (tree: { a: Tensor; b: Tensor }) =>
      valueAndGrad(({ a, b }) => linear(multiply(a, b), ones), tree).grads;
    const ones = tensor([1, 1], [1, 2], backend);
    using step = compile(f);
    const a = tensor([3, 4], [2], backend), b = tensor([5, 6], [2], backend);
    for (const tree of [{ a, b }, { a, b: a }, { a: b, b }, { a: b, b: a }, { a, b }, { a, b: a }]) {
      await assertSame(step(tree), f(tree), "gradients");
    }
  });

  Deno.test(`compile() throws what the function throws, and continues, on ${name}`, async () => {
    using backend = await create();
    const weight = draws(1, [9, 4]), table = await put(weight, backend);
    using look = compile((table: Tensor, ids: readonly number[][]) => embedding(ids, table));
    const before = () => backend.memory().bytes;
    for (let i = 0; i < 3; i++) {
      backend.free(look(table, [[1, 2]]));
      const bytes = before();
      for (const bad of [9, -1, 0.5, NaN]) {
        const expected = assertThrows(() => embedding([[1, bad]], table), RangeError).message;
        assertEquals(assertThrows(() => look(table, [[1, bad]]), RangeError).message, expected);
      }
      assertThrows(() => look(table, [[1], [2, 3]]), TypeError, "must have one length");
      assertThrows(() => look(table, []), TypeError);
      assertEquals(before(), bytes);
    }
    const other = await put(weight, backend);
    backend.free(look(other, [[3, 3]]));
    backend.free(other);
    const expected = assertThrows(() => embedding([[3, 3]], other), TypeError).message;
    assertEquals(assertThrows(() => look(other, [[3, 3]]), TypeError).message, expected);
    await assertSame(look(table, [[3, 3]]), embedding([[3, 3]], table), "after errors");
  });

  Deno.test(`compile() refuses to run after a closed-over tensor was freed, on ${name}`, async () => {
    using backend = await create();
    const closed = tensor([1], [1], backend), x = tensor([2], [1], backend);
    using step = compile((x: Tensor) => add(x, closed));
    step(x), step(x);
    backend.free(closed);
    assertThrows(() => step(x), TypeError, "Cannot run compiled function: tensor must be alive");
  });

  Deno.test(`compile() checks masked targets and weights like crossEntropy(), on ${name}`, async () => {
    using backend = await create();
    const logits = await put(draws(1, [1, 3, 5]), backend);
    const loss = (logits: Tensor, targets: number[][], weights: number[][]) =>
      crossEntropy(logits, targets, weights);
    using compiled = compile(loss);
    const good: readonly (readonly [number[][], number[][]])[] = [
      [[[1, 2, 3]], [[1, 1, 1]]],
      [[[1, 99, 3]], [[1, 0, 2]]],
      [[[99, 2, 3]], [[0, 1, 1]]],
    ];
    for (const args of [...good, ...good]) {
      await assertSame(compiled(logits, ...args), loss(logits, ...args), "loss");
    }
    for (const args of [[[[1, 99, 3]], [[0, 1, 1]]], [[[1, 2, 3]], [[1, -1, 1]]]] as const) {
      const of = args as unknown as [number[][], number[][]];
      const expected = assertThrows(() => loss(logits, ...of), RangeError).message;
      assertEquals(assertThrows(() => compiled(logits, ...of), RangeError).message, expected);
    }
  });

  Deno.test(`compile() can't read a tensor's numbers, on ${name}`, async () => {
    using backend = await create();
    let reading: Promise<unknown> = Promise.resolve();
    using step = compile((x: Tensor) => reading = read(x));
    assertThrows(
      () => step(tensor([1], [1], backend)),
      TypeError,
      "Cannot compile: f must return its result",
    );
    await assertRejects(() => reading, TypeError, "a function that is compiled");
  });

  Deno.test(`compile() leaves only its results allocated, however often it runs, on ${name}`, async () => {
    using backend = await create();
    const x = tensor([1, 2, 3], [3], backend);
    const { bytes } = backend.memory();
    {
      using step = compile((x: Tensor) => tanh(sigmoid(add(x, x))));
      backend.free(step(x));
      const held = backend.memory().bytes;
      backend.resetPeak();
      for (let i = 0; i < (name === "webgpu" ? 1000 : 100_000); i++) {
        backend.free(step(x));
        if (i % 1000 === 0) await read(x);
      }
      assertEquals(backend.memory().bytes, held);
      assert(backend.memory().peakBytes <= held + bytesOf(backend, x));
    }
    assertEquals(backend.memory().bytes, bytes);
  });

  Deno.test(`compile() keeps 32 forms and frees the others, on ${name}`, async () => {
    using backend = await create();
    using step = compile((x: Tensor) => add(x, x));
    for (let size = 1; size < 100; size++) {
      const x = tensor(new Float32Array(size).fill(size), [size], backend);
      for (let i = 0; i < 2; i++) {
        const y = step(x);
        assertEquals((await read(y))[size - 1], 2 * size);
        backend.free(y);
      }
      backend.free(x);
    }
    assert(backend.memory().bytes < 200 * 1024);
  });

  Deno.test(`withTurns() of compile() allows calls of the function meanwhile, and obeys a signal, on ${name}`, async () => {
    using backend = await create();
    const x = await put(draws(3, [64, 64]), backend);
    const f = (x: Tensor) => {
      let y = x;
      for (let i = 0; i < 100; i++) y = sigmoid(linear(y, x));
      return y;
    };
    using step = compile(f);
    const expected = f(x);
    const long = step.withTurns([x]);
    await assertSame(step(x), expected, "meanwhile");
    await assertSame(await long, expected, "with turns");
    const { bytes } = backend.memory();
    const reason = new Error("enough");
    await assertRejects(() => step.withTurns([x], AbortSignal.abort(reason)), Error, "enough");
    assertEquals(backend.memory().bytes, bytes);
    await assertSame(step(x), expected, "afterwards");
  });

  Deno.test(`withTurns() of compile() records while the event loop turns, on ${name}`, async () => {
    using backend = await create();
    const x = await put(draws(3, [4, 4]), backend);
    const f = (_ids: number[][], x: Tensor) => linear(sigmoid(x), x);
    using step = compile(f);
    const ids = [[1, 2]], expected = f(ids, x), { bytes } = backend.memory();
    let turns = 0;
    const timer = setInterval(() => turns++);
    const controller = new AbortController(), reason = new Error("enough");
    const ended = step.withTurns([ids, x], controller.signal);
    controller.abort(reason);
    await assertRejects(() => ended, Error, "enough");
    const disposedOf = step.withTurns([ids, x]);
    step[Symbol.dispose]();
    await assertSame(await disposedOf, expected, "of one that was disposed of");
    assert(turns >= 2, `it turned ${turns} times`);
    clearInterval(timer);
    backend.free(await disposedOf);
    assertEquals(backend.memory().bytes, bytes);
    const both = [step.withTurns([ids, x]), step.withTurns([ids, x])];
    for (const one of both) await assertSame(await one, expected, "of two at once");
    backend.free(await Promise.all(both));
    step[Symbol.dispose]();
    assertEquals(backend.memory().bytes, bytes);
  });

  Deno.test(`withTurns() of compile() uses the arguments as of the call, also for a new form, on ${name}`, async () => {
    using backend = await create();
    const one = await put(draws(3, [2, 2]), backend), other = await put(draws(4, [2, 2]), backend);
    const f = (x: Tensor, { a, times }: { a: Tensor; times: number }, ids: number[][]) => {
      let y = embedding(ids, x);
      for (let i = 0; i < times; i++) y = add(y, embedding(ids, a));
      return y;
    };
    const args: Parameters<typeof f> = [one, { a: one, times: 2 }, [[0, 1]]];
    const expected = f(...args);
    using step = compile(f);
    const taken = step.withTurns(args);
    args[0] = args[1].a = other;
    args[1].times = 3;
    args[2][0][0] = 1;
    const next = step.withTurns(args);
    await assertSame(await taken, expected, "before");
    await assertSame(await next, f(...args), "after");
  });

  Deno.test(`withTurns() of compile() records once for concurrent calls of one form, on ${name}`, async () => {
    using backend = await create();
    let count = 0;
    using step = compile((x: Tensor) => {
      count++;
      return sigmoid(x);
    });
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => put(draws(i, [3]), backend)));
    const found = await Promise.all(all.map((x) => step.withTurns([x])));
    for (const [i, y] of found.entries()) await assertSame(y, sigmoid(all[i]), `call ${i}`);
    assertEquals(count, 1);
    // Nor are other forms recorded later because of it.
    const wide = await put(draws(1, [5]), backend);
    step(wide), step(wide);
    assertEquals(count, 2);
  });

  Deno.test(`withTurns() of compile() refuses closed-over tensors that were freed meanwhile, on ${name}`, async () => {
    using backend = await create();
    const x = await put(draws(3, [4]), backend), { bytes } = backend.memory();
    // At every turn of the recording.
    for (let turns = 0; turns < 3; turns++) {
      const w = await put(draws(4, [4]), backend);
      using step = compile((x: Tensor) => add(x, w));
      const adding = step.withTurns([x]);
      adding.catch(() => {});
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve));
      backend.free(w);
      const another = await put(draws(5, [4]), backend);
      const result = await adding.catch((error) => error);
      if (result instanceof Error) assertStringIncludes(result.message, "tensor must be alive");
      else backend.free(result);
      assertThrows(() => step(x), TypeError, "tensor must be alive");
      backend.free(another);
    }
    assertEquals(backend.memory().bytes, bytes);
  });
}

function bytesOf(backend: Backend, t: Tensor): number {
  const before = backend.memory().bytes;
  const copy = tensor(new Float32Array(t.shape.reduce((a, b) => a * b, 1)), t.shape, backend);
  const bytes = backend.memory().bytes - before;
  backend.free(copy);
  return bytes;
}

Deno.test("compile() refuses values that are not functions", () => {
  assertThrows(() => compile(null as never), TypeError, "Cannot compile: f must be a function");
});

Deno.test("compile() of a compiled function, and inside of valueAndGrad(), equals the function", async () => {
  using backend = await createWasm();
  const x = tensor([0.5, 2], [2], backend), ones = tensor([1, 1], [1, 2], backend);
  using inner = compile((x: Tensor) => multiply(sigmoid(x), x));
  using outer = compile((x: Tensor) => add(inner(x), inner(x)));
  const expected = add(multiply(sigmoid(x), x), multiply(sigmoid(x), x));
  for (let i = 0; i < 3; i++) await assertSame(outer(x), expected, "nested");
  const slope = valueAndGrad((x) => linear(multiply(sigmoid(x), x), ones), x);
  for (let i = 0; i < 3; i++) {
    await assertSame(valueAndGrad((x) => linear(inner(x), ones), x), slope, "differentiated");
  }
});

Deno.test("compile() serves several backends, and outlives one", async () => {
  using step = compile((x: Tensor) => add(x, x));
  const numbersOn = async (backend: Backend) => [...await read(step(tensor([1, 2], [2], backend)))];
  for (let i = 0; i < 3; i++) {
    using wasm = await createWasm();
    using reference = createReference();
    for (const backend of [wasm, reference, wasm]) assertEquals(await numbersOn(backend), [2, 4]);
  }
});
