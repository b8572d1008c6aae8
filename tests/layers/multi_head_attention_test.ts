import { assert, assertEquals } from "@std/assert";
import {
  add,
  compile,
  multiHeadAttention,
  type MultiHeadAttentionParams,
  multiHeadAttentionState,
  put,
  read,
  scale,
  sliceState,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import {
  assertNear,
  assertSame,
  type Failure,
  relativeError,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { tensorsOf } from "../../src/tree.ts";
import { attentionParams, draws } from "../mixers.ts";

testOnAll("multiHeadAttentionState() is an empty cache on the parameters' backend", async (backend) => {
  const params = await put(attentionParams(1), backend);
  for (const capacity of [undefined, 0, 5]) {
    const { key, value } = multiHeadAttentionState(params, 2, capacity);
    assertEquals([key.backend === backend, value.backend === backend], [true, true]);
    assertEquals([key.shape, value.shape], [[2, 0, 12], [2, 0, 12]]);
    assertEquals(await read(key), new Float32Array(0));
  }
});

testOnAll("multiHeadAttention() gives the same at any capacity", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const x = await put(draws(2, [2, 9, 12]), backend);
  const [expected, ...others] = await Promise.all([0, 1, 8, 9, 10, 200].map(async (capacity) => {
    const { y, state } = multiHeadAttention(params, x, multiHeadAttentionState(params, 2, capacity));
    return [await read(y), await read(state.key), await read(state.value)];
  }));
  for (const other of others) assertEquals(other, expected);
});

testOnAll("multiHeadAttention() returns a cache that any operation accepts", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const x = await put(draws(2, [2, 3, 12]), backend);
  const { state } = multiHeadAttention(params, x, multiHeadAttentionState(params, 2, 7));
  const key = await read(state.key);
  assertEquals(await read(add(state.key, state.key)), key.map((value) => 2 * value));
  assertEquals(await read(sliceState(state, 1).key), key.slice(key.length / 2));
});

testOnAll("multiHeadAttention() depends on the order only with positions", async (backend) => {
  const base: MultiHeadAttentionParams = await put(attentionParams(1), backend);
  const steps = await put([draws(2, [1, 1, 12]), draws(3, [1, 1, 12]), draws(4, [1, 1, 12])], backend);
  const lastOf = async (params: MultiHeadAttentionParams, order: readonly number[]) => {
    let y = steps[0], state = multiHeadAttentionState(params);
    for (const i of order) ({ y, state } = multiHeadAttention(params, steps[i], state));
    return await read(y);
  };
  assertNear(await lastOf(base, [0, 1, 2]), await lastOf(base, [1, 0, 2]), 1e-6);
  const turned = { ...base, rotaryBase: 10 };
  assert(relativeError(await lastOf(turned, [0, 1, 2]), await lastOf(turned, [1, 0, 2])) > 0.01);
});

testOnAll("multiHeadAttention() adds the given biases", async (backend) => {
  const params = await put({ ...attentionParams(1), rotaryBase: 100 }, backend);
  const x = await put(draws(2, [1, 3, 12]), backend);
  const run = async (params: MultiHeadAttentionParams) =>
    await read(multiHeadAttention(params, x, multiHeadAttentionState(params)).y);
  const plain = await run(params);
  const bias = await put(draws(3, [12]), backend), zero = await put(draws(3, [12], 0), backend);
  for (const name of ["queryBias", "keyBias", "valueBias", "outputBias"]) {
    assertNear(await run({ ...params, [name]: zero }), plain, 1e-6);
    assert(relativeError(await run({ ...params, [name]: bias }), plain) > 0.01, name);
  }
});

testOnAll(
  "multiHeadAttention() of all steps sees later ones, and the cache, which it continues",
  async (backend) => {
    const params: MultiHeadAttentionParams = await put({ ...attentionParams(1), rotaryBase: 100 }, backend);
    const [past, x] = await put([draws(2, [2, 4, 12]), draws(3, [2, 6, 12])], backend);
    const before = multiHeadAttention(params, past, multiHeadAttentionState(params, 2)).state;
    const causal = multiHeadAttention(params, x, before);
    const whole = multiHeadAttention(params, x, before, { causal: false });
    assertSame(await read(whole.state.key), await read(causal.state.key));
    assertSame(await read(whole.state.value), await read(causal.state.value));
    const [all, some] = [await read(whole.y), await read(causal.y)];
    for (const b of [0, 1]) {
      const of = (y: Float32Array, t: number) => y.slice((b * 6 + t) * 12, (b * 6 + t + 1) * 12);
      assertNear(of(all, 5), of(some, 5), 1e-6, "the last step");
      for (const t of [0, 4]) assert(relativeError(of(all, t), of(some, t)) > 0.01, `step ${t}`);
    }
    // Masked, each sequence is the one without its hidden steps.
    const mask = [[1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1]], numbers = await read(x);
    const masked = multiHeadAttention(params, x, multiHeadAttentionState(params, 2), { causal: false, mask });
    const own = tensor(
      [0, 1, 3].flatMap((t) => [...numbers.subarray(12 * t, 12 * (t + 1))]),
      [1, 3, 12],
      backend,
    );
    const alone = multiHeadAttention(params, own, multiHeadAttentionState(params), { causal: false });
    const y = await read(masked.y);
    assertNear([0, 1, 3].flatMap((t) => [...y.subarray(12 * t, 12 * (t + 1))]), await read(alone.y), 1e-5);
  },
);

const params = attentionParams(1);
const x = draws(2, [2, 3, 12]);
const state = multiHeadAttentionState(params, 2);

testOnAll(
  "multiHeadAttention() with a mask is each sequence without the steps that are not seen",
  async (backend) => {
    for (const base of [undefined, 10_000]) {
      const params = { ...await put(attentionParams(1), backend), rotaryBase: base };
      const rows = [[0, 1, 0, 1, 1], [1, 1, 1, 1, 0]];
      const x = await put(draws(2, [2, 5, 12]), backend), numbers = await read(x);
      const { y, state } = multiHeadAttention(params, x, multiHeadAttentionState(params, 2), { mask: rows });
      assertEquals(state.mask?.shape, [2, 5]);
      assertSame(await read(state.mask!), rows.flat());
      assertSame(await read(state.position!), [3, 4]);
      const next = await put(draws(3, [2, 2, 12]), backend);
      const after = multiHeadAttention(params, next, state);
      assertSame(await read(after.state.mask!), [0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1]);
      const [all, later] = [await read(y), await read(after.y)];
      for (const [b, mask] of rows.entries()) {
        const steps = mask.flatMap((seen, t) => seen === 1 ? [t] : []);
        const stepsOf = (data: ArrayLike<number>, time: number, steps: number[]) =>
          steps.flatMap((t) => Array.from(data).slice((b * time + t) * 12, (b * time + t + 1) * 12));
        const own = tensor(stepsOf(numbers, 5, steps), [1, steps.length, 12], backend);
        const alone = multiHeadAttention(params, own, multiHeadAttentionState(params));
        assertNear(stepsOf(all, 5, steps), await read(alone.y), 1e-5);
        const more = tensor(stepsOf(await read(next), 2, [0, 1]), [1, 2, 12], backend);
        assertNear(
          stepsOf(later, 2, [0, 1]),
          await read(multiHeadAttention(params, more, alone.state).y),
          1e-5,
        );
      }
    }
  },
);

testOnAll(
  "multiHeadAttention() takes a mask as a tensor, also compiled and differentiated",
  async (backend) => {
    const lists = [[[0, 1, 0, 1, 1], [1, 1, 1, 1, 0]], [[1, 0, 1], [0, 0, 0]]];
    const masks = lists.map((rows) => tensor(rows.flat(), [2, rows[0].length], backend));
    const xs = await put([draws(2, [2, 5, 12]), draws(3, [2, 3, 12])], backend);
    for (const rotaryBase of [undefined, 10_000]) {
      for (const causal of [true, false]) {
        const params = { ...await put(attentionParams(1), backend), rotaryBase };
        const run = (own: typeof params, at: typeof lists | typeof masks) => {
          const first = multiHeadAttention(own, xs[0], multiHeadAttentionState(own, 2), {
            causal,
            mask: at[0],
          });
          const second = multiHeadAttention(own, xs[1], first.state, { causal, mask: at[1] });
          const past = { ...first.state, mask: undefined, position: undefined };
          return { first, second, after: multiHeadAttention(own, xs[1], past, { causal, mask: at[1] }) };
        };
        const gradient = (at: typeof lists | typeof masks) => {
          const loss = (own: typeof params) =>
            sum(run({ ...own, heads: params.heads, rotaryBase }, at).second.y);
          return valueAndGrad(loss, params).grads;
        };
        const expected = [run(params, lists), gradient(lists)];
        using compiled = compile((at: Tensor[]) => [run(params, at), gradient(at)]);
        compiled(masks.map((mask) => scale(mask, 0)));
        for (const found of [[run(params, masks), gradient(masks)], compiled(masks)]) {
          const [ours, theirs] = [found, expected].map(tensorsOf);
          assertEquals(ours.length, theirs.length);
          for (const [i, t] of ours.entries()) assertSame(await read(t), await read(theirs[i]));
          backend.free(found);
        }
        assertSame(await read(masks[1]), lists[1].flat());
      }
    }
  },
);

testFailures("multiHeadAttention()", [
  [
    "a mask of other steps",
    () => multiHeadAttention(params, x, state, { mask: tensor([1, 1], [2, 1]) }),
    TypeError,
    "Cannot attend with heads: mask must be [2, 3], current shape is [2, 1]",
  ],
  [
    "heads that don't divide the channels",
    () => multiHeadAttention({ ...params, heads: 5 }, x, state),
    RangeError,
    "Cannot attend with heads: heads must divide C, current heads is 5 and C is 12",
  ],
  ...[0, -1, NaN, 1.5].map((heads): Failure => [
    `heads ${heads}`,
    () => multiHeadAttention({ ...params, heads }, x, state),
    RangeError,
    `Cannot attend with heads: heads must be an integer at least 1, current value is ${heads}`,
  ]),
  [
    "no heads",
    () => multiHeadAttention(wrong({ ...params, heads: undefined }), x, state),
    TypeError,
    "Cannot attend with heads: heads must be a number, current value is undefined",
  ],
  [
    "an odd head size with positions",
    () => multiHeadAttention({ ...params, heads: 4, rotaryBase: 10_000 }, x, state),
    RangeError,
    "Cannot turn rotary: head size must be even, current C/heads is 3",
  ],
  ...[0, -1, NaN, Infinity].map((rotaryBase): Failure => [
    `rotaryBase ${rotaryBase}`,
    () => multiHeadAttention({ ...params, rotaryBase }, x, state),
    RangeError,
    `Cannot turn rotary: base must be finite and above 0, current base is ${rotaryBase}`,
  ]),
  [
    "x of another width",
    () => multiHeadAttention(params, draws(2, [2, 3, 11]), state),
    TypeError,
    "Cannot attend with heads: x must be [B, T, 12], current shape is [2, 3, 11]",
  ],
  [
    "a query that is no matrix",
    () => multiHeadAttention({ ...params, query: draws(3, [12]) }, x, state),
    TypeError,
    "Cannot attend with heads: params.query must be [C, C], current shape is [12]",
  ],
  [
    "a state of another batch size",
    () => multiHeadAttention(params, x, multiHeadAttentionState(params)),
    TypeError,
    "Cannot attend with heads: state.key must be [2, T, 12], current shape is [1, 0, 12]",
  ],
  [
    "keys and values of different lengths",
    () => multiHeadAttention(params, x, { ...state, value: draws(3, [2, 1, 12]) }),
    TypeError,
    "Cannot attend with heads: state.value must be [2, 0, 12], current shape is [2, 1, 12]",
  ],
  [
    "a state without keys",
    () => multiHeadAttention(params, x, wrong({})),
    TypeError,
    "Cannot attend with heads: state.key must be a tensor [2, T, 12], current value is undefined",
  ],
  [
    "causal not a boolean",
    () => multiHeadAttention(params, x, state, { causal: wrong("no") }),
    TypeError,
    'Cannot attend with heads: causal must be true or false, current value is "no"',
  ],
  [
    "a mask of another length",
    () => multiHeadAttention(params, x, state, { mask: [[1, 1, 1], [1, 1]] }),
    TypeError,
    "Cannot attend with heads: mask must be 2 lists of 3 numbers 0 or 1, current length of list 1 is 2",
  ],
  [
    "a state whose mask has no position",
    () => multiHeadAttention(params, x, { ...state, mask: draws(3, [2, 0]) }),
    TypeError,
    "Cannot attend with heads: state.position must be a tensor [2, 1], current value is undefined",
  ],
  [
    "a state whose mask is of another length",
    () => multiHeadAttention(params, x, { ...state, mask: draws(3, [2, 1]) }),
    TypeError,
    "Cannot attend with heads: state.mask must be [2, 0], current shape is [2, 1]",
  ],
  [
    "a bias of another width",
    () => multiHeadAttention({ ...params, keyBias: draws(3, [11]) }, x, state),
    TypeError,
    "Cannot compute linear: bias must be [12], current shape is [11]",
  ],
]);

testFailures("multiHeadAttentionState()", [
  ...[0, 1.5, NaN].map((batch): Failure => [
    `batch ${batch}`,
    () => multiHeadAttentionState(params, batch),
    RangeError,
    `Cannot make attention state: batch must be an integer at least 1, current value is ${batch}`,
  ]),
  ...[-1, 1.5, NaN].map((capacity): Failure => [
    `capacity ${capacity}`,
    () => multiHeadAttentionState(params, 1, capacity),
    RangeError,
    `Cannot make attention state: capacity must be an integer at least 0, current value is ${capacity}`,
  ]),
]);
