import { assert, assertEquals } from "@std/assert";
import {
  add,
  appendTime,
  compile,
  crossAttention,
  type CrossAttentionContext,
  crossAttentionContext,
  crossEntropy,
  multiHeadAttention,
  type MultiHeadAttentionParams,
  type MultiHeadAttentionState,
  multiHeadAttentionState,
  put,
  read,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";
import { attentionParams, draws } from "../mixers.ts";

const biases: Record<string, Tensor> = Object.fromEntries(
  ["queryBias", "keyBias", "valueBias", "outputBias"].map((name, i) => [name, draws(20 + i, [12])]),
);

testOnAll(
  "crossAttention() to the sequence itself is bidirectional multiHeadAttention()",
  async (backend) => {
    const params: MultiHeadAttentionParams = await put({ ...attentionParams(1), ...biases }, backend);
    for (const time of [1, 3, 9]) {
      const x = await put(draws(2, [2, time, 12]), backend);
      for (const mask of [undefined, [[0, ...Array(time - 1).fill(1)], Array(time).fill(1)]]) {
        const across = crossAttention(params, x, crossAttentionContext(params, x, { mask }));
        const within = multiHeadAttention(params, x, multiHeadAttentionState(params, 2), {
          causal: false,
          mask,
        });
        assertNear(await read(across), await read(within.y), 1e-6, `${time} steps, mask ${mask}`);
      }
    }
  },
);

testOnAll("crossAttention() with a mask is that to the context without the hidden steps", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const [x, encoded] = await put([draws(2, [1, 7, 12]), draws(3, [1, 5, 12])], backend);
  const numbers = await read(encoded), shown = [0, 2, 3];
  const rest = shown.flatMap((t) => [...numbers.subarray(12 * t, 12 * (t + 1))]);
  const masked = crossAttentionContext(params, encoded, { mask: [[1, 0, 1, 1, 0]] });
  const alone = crossAttentionContext(params, tensor(rest, [1, 3, 12], backend));
  const mask = tensor([1, 0, 1, 1, 0], [1, 5], backend);
  const given = crossAttentionContext(params, encoded, { mask });
  assertSame(await read(crossAttention(params, x, given)), await read(crossAttention(params, x, masked)));
  backend.free(given);
  assertSame(await read(mask), [1, 0, 1, 1, 0]);
  assertSame(await read(masked.mask!), [1, 0, 1, 1, 0]);
  assertNear(
    await read(crossAttention(params, x, masked)),
    await read(crossAttention(params, x, alone)),
    1e-6,
  );
});

testOnAll("crossAttention() returns the output bias where all of the context is hidden", async (backend) => {
  const params = await put({ ...attentionParams(1), ...biases } as MultiHeadAttentionParams, backend);
  const [x, encoded] = await put([draws(2, [2, 3, 12]), draws(3, [2, 2, 12])], backend);
  const context = crossAttentionContext(params, encoded, { mask: [[0, 0], [1, 1]] });
  const y = crossAttention(params, x, context);
  const bias = [...await read(params.outputBias!)];
  assertNear((await read(y)).slice(0, 36), [...bias, ...bias, ...bias], 1e-6);
  const none = crossAttentionContext(params, tensor([], [2, 0, 12], backend));
  assertNear((await read(crossAttention(params, x, none))).slice(60), bias, 1e-6);
});

testOnAll("crossAttentionContext() takes a context of another width", async (backend) => {
  const narrow = { key: draws(5, [12, 7]), value: draws(6, [12, 7]) };
  const params = await put({ ...attentionParams(1), ...narrow }, backend);
  const [x, encoded] = await put([draws(2, [1, 3, 12]), draws(3, [1, 4, 7])], backend);
  const context = crossAttentionContext(params, encoded);
  assertEquals([context.key.shape, context.value.shape, context.mask], [[1, 4, 12], [1, 4, 12], undefined]);
  assertEquals(crossAttention(params, x, context).shape, [1, 3, 12]);
});

/** A decoder of one layer: causal attention to itself, then to the context. */
function decode(
  params: MultiHeadAttentionParams,
  x: Tensor,
  state: MultiHeadAttentionState,
  context: CrossAttentionContext,
) {
  const { y, state: next } = multiHeadAttention(params, x, state);
  return { y: add(y, crossAttention(params, y, context)), state: next };
}

testOnAll("crossAttention() of a sequence in pieces is that of the whole", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const [x, more, encoded] = await put([4, 1, 5].map((time) => draws(time, [2, time, 12])), backend);
  const context = crossAttentionContext(params, encoded);
  const whole = await read(crossAttention(params, appendTime(x, more), context));
  const pieces = [x, more].map((piece) => crossAttention(params, piece, context));
  assertNear(await read(pieces.reduce(appendTime)), whole, 1e-5);
});

testOnAll("a compiled decoder with crossAttention() grows its cache in one recording", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const encoded = await put(draws(3, [2, 5, 12]), backend);
  let runs = 0;
  using step = compile((...args: Parameters<typeof decode>) => {
    runs++;
    return decode(...args);
  });
  const mask = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]];
  const context = crossAttentionContext(params, encoded, { mask });
  let state = multiHeadAttentionState(params, 2, 40), plain = multiHeadAttentionState(params, 2, 40);
  for (let t = 0; t < 20; t++) {
    const x = await put(draws(30 + t, [2, 1, 12]), backend);
    const fast = step(params, x, state, context), slow = decode(params, x, plain, context);
    assertSame(await read(fast.y), await read(slow.y), `step ${t}`);
    backend.free([state, plain]);
    state = fast.state, plain = slow.state;
  }
  assert(runs <= 4, `${runs} runs`);
});

testOnAll("crossAttention() propagates gradients to the context, also compiled", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const x = await put([draws(2, [2, 7, 12]), draws(3, [2, 3, 12])], backend);
  const ids = [0, 1, 2, 3, 11, 5, 6];
  const slopes = (x: readonly Tensor[]) =>
    valueAndGrad(([x, context]: readonly Tensor[]) => {
      const y = crossAttention(params, x, crossAttentionContext(params, context));
      return crossEntropy(y, [ids, ids]);
    }, x);
  using compiled = compile(slopes);
  const expected = slopes(x);
  for (const { grads } of [compiled(x), compiled(x)]) {
    for (const [i, grad] of grads.entries()) assertSame(await read(grad), await read(expected.grads[i]));
  }
  assert((await read(expected.grads[1])).every((slope) => slope !== 0));
});

const params = attentionParams(1), x = draws(2, [2, 3, 12]), encoded = draws(3, [2, 5, 12]);
const context = crossAttentionContext(params, encoded);

testFailures("crossAttention()", [
  [
    "heads that don't divide the channels",
    () => crossAttention({ ...params, heads: 5 }, x, context),
    RangeError,
    "Cannot attend to context: heads must divide C, current heads is 5 and C is 12",
  ],
  [
    "positions",
    () => crossAttention({ ...params, rotaryBase: 10_000 }, x, context),
    TypeError,
    "Cannot attend to context: params.rotaryBase must be undefined, current value is 10000",
  ],
  [
    "x of another width",
    () => crossAttention(params, draws(2, [2, 3, 11]), context),
    TypeError,
    "Cannot attend to context: x must be [B, T, 12], current shape is [2, 3, 11]",
  ],
  [
    "what was encoded instead of its context",
    () => crossAttention(params, x, wrong(encoded)),
    TypeError,
    "Cannot attend to context: context.key must be a tensor [2, S, 12], current value is undefined",
  ],
  [
    "a context of another batch size",
    () => crossAttention(params, draws(2, [1, 3, 12]), context),
    TypeError,
    "Cannot attend to context: context.key must be [1, S, 12], current shape is [2, 5, 12]",
  ],
  [
    "keys and values of different lengths",
    () => crossAttention(params, x, { ...context, value: x }),
    TypeError,
    "Cannot attend to context: context.value must be [2, 5, 12], current shape is [2, 3, 12]",
  ],
  [
    "a mask of another length",
    () => crossAttention(params, x, { ...context, mask: draws(3, [2, 4]) }),
    TypeError,
    "Cannot attend to context: context.mask must be [2, 5], current shape is [2, 4]",
  ],
]);

testFailures("crossAttentionContext()", [
  [
    "positions",
    () => crossAttentionContext({ ...params, rotaryBase: 500 }, encoded),
    TypeError,
    "Cannot make context of attention: params.rotaryBase must be undefined, current value is 500",
  ],
  [
    "a context of another width",
    () => crossAttentionContext(params, draws(3, [2, 5, 11])),
    TypeError,
    "Cannot make context of attention: encoded must be [B, S, 12], current shape is [2, 5, 11]",
  ],
  [
    "keys and values of different widths",
    () => crossAttentionContext({ ...params, value: draws(3, [12, 5]) }, encoded),
    TypeError,
    "Cannot make context of attention: params.value must be [12, 12], current shape is [12, 5]",
  ],
  [
    "a mask of another length",
    () => crossAttentionContext(params, encoded, { mask: [[1, 1], [1, 1]] }),
    TypeError,
    "Cannot make context of attention: mask must be 2 lists of 5 numbers 0 or 1, current length of list 0 is 2",
  ],
]);
