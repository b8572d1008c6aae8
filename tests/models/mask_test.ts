/** A batch of prompts of several lengths: every row is what it is alone, without the positions that its mask skips. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  compile,
  createReference,
  crossEntropy,
  type ForwardOptions,
  put,
  read,
  readFloat64,
  sliceState,
  stackStates,
  valueAndGrad,
} from "@seqmix/seqmix";
import fc from "fast-check";
import type { Engine } from "../../src/engine.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";
import { models, type SmallModel } from "../mixers.ts";

const vocabulary = 11;

/** A row of a batch: ids, and which of them are read. */
interface Row {
  readonly ids: readonly number[];
  readonly mask: readonly number[];
}

const read01 = (row: Row) => row.ids.filter((_, t) => row.mask[t] === 1);

function rowsOf(time: number): fc.Arbitrary<Row> {
  const padded = (left: boolean) =>
    fc.nat(time).map((count) =>
      Array.from({ length: time }, (_, t) => Number(left ? t >= count : t < count))
    );
  const holes = fc.array(fc.constantFrom(0, 1), { minLength: time, maxLength: time });
  return fc.record({
    ids: fc.array(fc.nat(vocabulary - 1), { minLength: time, maxLength: time }),
    mask: fc.oneof(padded(true), padded(false), holes),
  });
}

/** Batches of rows, in one to three pieces. */
const batches = fc.record({ count: fc.integer({ min: 1, max: 4 }), time: fc.integer({ min: 1, max: 12 }) })
  .chain(({ count, time }) =>
    fc.record({
      rows: fc.array(rowsOf(time), { minLength: count, maxLength: count }),
      pieces: fc.subarray(Array.from({ length: time - 1 }, (_, t) => t + 1), {
        maxLength: Math.min(2, time - 1),
      }),
      /** How many ids every row reads before, without a mask. */
      before: fc.nat(3),
    })
  );

/** The logits of ids of one sequence, a list of V for each, and the state after them. */
async function alone({ model }: SmallModel, params: unknown, ids: readonly number[], state: unknown) {
  if (ids.length === 0) return { logits: [] as Float64Array[], state };
  const next = model.forward(params, [ids], state);
  return { logits: listsOf(await readFloat64(next.logits)), state: next.state };
}

function listsOf(numbers: Float64Array): Float64Array[] {
  return Array.from(
    { length: numbers.length / vocabulary },
    (_, i) => numbers.subarray(i * vocabulary, (i + 1) * vocabulary),
  );
}

const zeros = new Float64Array(vocabulary);

/** Asserts what the logits of one row are, given those of the ids that are read. */
function checkRow(actual: readonly Float64Array[], { mask }: Row, expected: Float64Array[]): void {
  mask.forEach((number, t) => {
    if (number === 1) assertNear(actual[t], expected.shift()!, 1e-5, `logits at ${t}`);
    else assertSame(actual[t], zeros, `logits at ${t}`);
  });
}

for (const small of models) {
  const { name, model, make } = small;

  testOnAll(
    `${name}.forward() with a mask is every row alone, in pieces and afterwards,`,
    async (backend) => {
      const params = await put(make(1), backend);
      const { bytes } = backend.memory();
      const property = fc.asyncProperty(batches, async ({ rows, pieces, before }) => {
        const first = rows.map((_, b) => Array.from({ length: before }, (_, t) => (3 * b + t) % vocabulary));
        let state = model.initialState(params, rows.length);
        const own = rows.map(() => model.initialState(params, 1));
        if (before > 0) {
          state = model.forward(params, first, state).state;
          for (const b of rows.keys()) own[b] = model.forward(params, [first[b]], own[b]).state;
        }
        const made: unknown[] = [];
        const ends = [...pieces, rows[0].ids.length];
        for (const [i, end] of ends.entries()) {
          const start = ends[i - 1] ?? 0;
          const part = rows.map(({ ids, mask }) => ({
            ids: ids.slice(start, end),
            mask: mask.slice(start, end),
          }));
          const tokens = part.map(({ ids }) => ids), mask = part.map(({ mask }) => Uint8Array.from(mask));
          const all = model.forward(params, tokens, state, { mask });
          const last = model.forward(params, tokens, state, { mask, logits: "last" });
          const none = model.forward(params, tokens, state, { mask, logits: "none" });
          assertEquals(all.logits.shape, [rows.length, end - start, vocabulary]);
          assertEquals(last.logits.shape, [rows.length, 1, vocabulary]);
          const logits = listsOf(await readFloat64(all.logits)),
            ofLast = listsOf(await readFloat64(last.logits));
          for (const [b, row] of part.entries()) {
            const expected = await alone(small, params, read01(row), own[b]);
            own[b] = expected.state;
            assertNear(ofLast[b], expected.logits.at(-1) ?? zeros, 1e-5, "last logits");
            checkRow(logits.slice(b * (end - start)), row, expected.logits);
          }
          const tensors = tensorsOf(all.state);
          for (const [i, t] of tensorsOf(none.state).entries()) {
            assertSame(await read(t), await read(tensors[i]));
          }
          made.push(all, last, none, state);
          state = all.state;
        }

        // On, without a mask and with one: the batch, each row of it by itself, and rows stacked anew.
        const tokens = rows.map((_, b) => [b, 5, 2]), order = [...rows.keys()].reverse();
        const sliced = rows.map((_, b) => sliceState(state, b)),
          stacked = stackStates(order.map((b) => sliced[b]));
        const together = model.forward(params, tokens, state);
        const again = model.forward(params, order.map((b) => tokens[b]), stacked, {
          mask: order.map((b) => [1, b % 2, 1]),
        });
        const logits = listsOf(await readFloat64(together.logits)),
          others = listsOf(await readFloat64(again.logits));
        for (const [b, ids] of tokens.entries()) {
          const expected = await alone(small, params, ids, own[b]);
          const single = await alone(small, params, ids, sliced[b]);
          for (const t of ids.keys()) {
            assertNear(logits[3 * b + t], expected.logits[t], 1e-5);
            assertNear(single.logits[t], expected.logits[t], 1e-5);
          }
          const row = { ids, mask: [1, b % 2, 1] };
          const { logits: masked, state: after } = await alone(small, params, read01(row), own[b]);
          checkRow(others.slice(3 * order.indexOf(b)), row, masked);
          made.push(expected.state, single.state, after);
        }
        backend.free([made, state, own, sliced, stacked, together, again]);
      });
      await fc.assert(property, { numRuns: backend.name === "webgpu" ? 4 : 16, seed: 1 });
      const tokens = [[1, 2, 3], [4, 5, 6]], mask = [[0, 1, 1], [1, 0, 0]];
      const state = model.initialState(params, 2);
      const before = backend.memory().bytes;
      backend.free(model.forward(params, tokens, state, { mask }));
      assertEquals(backend.memory().bytes, before);
      assert(bytes <= before);
    },
  );

  testOnAll(`${name}.forward() with a mask of ones is that without, bit for bit,`, async (backend) => {
    const params = await put(make(1), backend), tokens = [[1, 2, 3, 4, 5], [0, 9, 8, 7, 6]];
    const state = model.initialState(params, 2);
    for (const logits of ["all", "last"] as const) {
      const expected = model.forward(params, tokens, state, { logits });
      const mask = tokens.map((ids) => ids.map(() => 1)),
        actual = model.forward(params, tokens, state, { logits, mask });
      assertSame(await read(actual.logits), await read(expected.logits));
      assertEquals(tensorsOf(actual.state).length, tensorsOf(expected.state).length);
    }
  });

  testOnAll(
    `${name}.forward() with nothing but zeros leaves a state of its own as it was`,
    async (backend) => {
      const params = await put(make(1), backend), tokens = [[1, 2], [3, 4]], mask = [[0, 0], [0, 0]];
      const before = model.forward(params, [[5], [6]], model.initialState(params, 2)).state;
      const { logits, state } = model.forward(params, tokens, before, { mask });
      assertSame(await read(logits), new Float32Array(4 * vocabulary));
      assert(tensorsOf(state).every((t) => !tensorsOf(before).includes(t)));
      const expected = model.forward(params, tokens, before);
      assertNear(await read(model.forward(params, tokens, state).logits), await read(expected.logits), 1e-6);
    },
  );

  testOnAll(`${name}.forward() with a mask has the gradients of the rows alone`, async (backend) => {
    const params = await put(make(1), backend);
    const rows: Row[] = [
      { ids: [1, 2, 3, 4], mask: [0, 0, 1, 1] },
      { ids: [5, 6, 7, 8], mask: [1, 0, 1, 1] },
      { ids: [9, 1, 2, 3], mask: [0, 0, 0, 0] },
      { ids: [4, 4, 4, 1], mask: [1, 1, 1, 0] },
    ];
    const targetsOf = ({ ids }: Row) => ids.map((id) => (id + 2) % vocabulary);
    const { value, grads } = valueAndGrad((params) => {
      const state = model.initialState(params, rows.length), mask = rows.map(({ mask }) => mask);
      const { logits } = model.forward(params, rows.map(({ ids }) => ids), state, { mask });
      return crossEntropy(logits, rows.map(targetsOf), mask);
    }, params);
    const total = rows.reduce((sum, row) => sum + read01(row).length, 0);
    let loss = 0;
    const sums = tensorsOf(params).map(({ shape }) => new Float64Array(shape.reduce((a, b) => a * b, 1)));
    for (const row of rows.filter((row) => read01(row).length > 0)) {
      const ids = read01(row), targets = read01({ ids: targetsOf(row), mask: row.mask });
      const one = valueAndGrad(
        (params) => crossEntropy(model.forward(params, [ids], model.initialState(params)).logits, [targets]),
        params,
      );
      const share = ids.length / total;
      loss += share * (await read(one.value))[0];
      for (const [i, t] of tensorsOf(one.grads).entries()) {
        (await read(t)).forEach((x, at) => sums[i][at] += share * x);
      }
    }
    assertNear(await read(value), [loss], 1e-5);
    for (const [i, t] of tensorsOf(grads).entries()) {
      assertNear(await read(t), sums[i], 1e-4, `gradient ${i}`);
    }
  });

  testOnAll(`${name}.forward() with a mask is the same compiled`, async (backend) => {
    const params = await put(make(1), backend), tokens = [[1, 2, 3, 4], [5, 6, 7, 8]];
    const start = model.initialState(params, 2);
    using step = compile((params: unknown, ids: number[][], state: unknown, options: ForwardOptions) =>
      model.forward(params, ids, state, options)
    );
    const masks = [[[0, 1, 1, 1], [1, 1, 1, 1]], [[1, 1, 0, 0], [1, 0, 1, 1]]];
    for (const mask of [...masks, ...masks]) {
      for (const logits of ["all", "last"] as const) {
        const expected = model.forward(params, tokens, start, { mask, logits });
        const actual = step(params, tokens, start, { mask, logits });
        assertSame(await read(actual.logits!), await read(expected.logits));
        await checkSteps(backend, small, params, actual.state, expected.state);
      }
    }
  });
}

/** Steps of one token after a mask, compiled and not; a state that is not needed any more is freed. */
async function checkSteps(
  backend: Engine,
  { model }: SmallModel,
  params: unknown,
  state: unknown,
  expected: unknown,
): Promise<void> {
  using step = compile(model.forward);
  for (let i = 0; i < 24; i++) {
    const ids = [[i % vocabulary], [(3 * i + 1) % vocabulary]];
    const actual = step(params, ids, state), wanted = model.forward(params, ids, expected);
    if (i % 6 === 5) assertSame(await read(actual.logits), await read(wanted.logits));
    backend.free([state, expected, actual.logits, wanted.logits]);
    ({ state } = actual), { state: expected } = wanted;
  }
  backend.free([state, expected]);
}

Deno.test("a state with a mask is stepped by one recording at all lengths", async () => {
  using backend = createReference();
  const { model, make } = models[1];
  const params = await put(make(1), backend);
  let calls = 0;
  using step = compile((params: unknown, ids: number[][], state: unknown) => {
    calls++;
    return model.forward(params, ids, state);
  });
  let { state } = model.forward(params, [[1, 2, 3], [4, 5, 6]], model.initialState(params, 2), {
    mask: [[0, 1, 1], [1, 1, 1]],
  });
  for (let i = 0; i < 60; i++) ({ state } = step(params, [[1], [2]], state));
  assert(calls <= 8, `${calls} calls`);
});

Deno.test("compile() tells masks apart by their numbers, in lists and in typed arrays that change in place", async () => {
  using backend = createReference();
  for (const { model, make } of models) {
    const params = await put(make(1), backend), tokens = [[1, 2, 3], [4, 5, 6]];
    const state = model.initialState(params, 2);
    using step = compile((params: unknown, ids: number[][], state: unknown, options: ForwardOptions) =>
      model.forward(params, ids, state, options)
    );
    for (const mask of [[[1, 1, 1], [0, 1, 1]], [Uint8Array.of(1, 1, 1), Uint8Array.of(0, 1, 1)]]) {
      for (const [b, t] of [[0, 0], [1, 1], [0, 0], [1, 2]]) {
        mask[b][t] = 1 - mask[b][t];
        const expected = model.forward(params, tokens, state, { mask });
        assertSame(await read(step(params, tokens, state, { mask }).logits!), await read(expected.logits));
      }
    }
  }
});

Deno.test("compile() refuses a mask that is an argument of its own, whose numbers change from call to call", () => {
  for (const { model, make } of models) {
    const params = make(1), state = model.initialState(params, 2);
    using step = compile((params: unknown, ids: number[][], state: unknown, mask: number[][]) =>
      model.forward(params, ids, state, { mask })
    );
    assertThrows(
      () => step(params, [[1, 2], [3, 4]], state, [[1, 1], [0, 1]]),
      TypeError,
      "Cannot compile: f must not look at the numbers of its lists",
    );
  }
});

for (const { name, model, make } of models) {
  const params = make(1),
    action = { rwkv: "RWKV", transformer: "Transformer", lstmModel: "LSTM model" }[name];
  const run = (mask: unknown) =>
    model.forward(params, [[1, 2, 3], [4, 5, 6]], model.initialState(params, 2), { mask: wrong(mask) });
  const wanted = `Cannot run ${action}: mask must be 2 lists of 3 numbers 0 or 1`;
  testFailures(`${name}.forward() with a mask`, [
    ["no list", () => run("011"), TypeError, `${wanted}, current value is "011"`],
    ["null", () => run(null), TypeError, `${wanted}, current value is null`],
    [
      "a tensor",
      () => run((params as { embedding: unknown }).embedding),
      TypeError,
      `${wanted}, current value is a tensor of shape [11, ${name === "transformer" ? 12 : 9}]`,
    ],
    ["one list", () => run([[1, 1, 1]]), TypeError, `${wanted}, current number of lists is 1`],
    ["numbers", () => run([1, 1]), TypeError, `${wanted}, current list 0 is 1`],
    ["null for a list", () => run([null, [1, 1, 1]]), TypeError, `${wanted}, current list 0 is null`],
    ["a short list", () => run([[1, 1, 1], [1, 1]]), TypeError, `${wanted}, current length of list 1 is 2`],
    ["NaN", () => run([[1, 1, 1], [1, NaN, 1]]), RangeError, `${wanted}, current number at [1, 1] is NaN`],
    ["a half", () => run([[0.5, 1, 1], [1, 1, 1]]), RangeError, `${wanted}, current number at [0, 0] is 0.5`],
    [
      "a boolean",
      () => run([[1, 1, true], [1, 1, 1]]),
      TypeError,
      `${wanted}, current number at [0, 2] is true`,
    ],
    [
      "a missing number",
      () => run([[1, , 1], [1, 1, 1]]),
      TypeError,
      `${wanted}, current number at [0, 1] is undefined`,
    ],
  ]);
}
