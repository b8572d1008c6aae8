import { assert, assertEquals } from "@std/assert";
import {
  add,
  compile,
  crossAttention,
  crossAttentionState,
  crossEntropy,
  multiHeadAttention,
  type MultiHeadAttentionParams,
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
        const across = crossAttention(params, x, crossAttentionState(params, x, { mask }));
        const within = multiHeadAttention(params, x, multiHeadAttentionState(params, 2), {
          causal: false,
          mask,
        });
        assertNear(await read(across.y), await read(within.y), 1e-6, `${time} steps, mask ${mask}`);
      }
    }
  },
);

testOnAll("crossAttention() with a mask is that to the context without the hidden steps", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const [x, context] = await put([draws(2, [1, 7, 12]), draws(3, [1, 5, 12])], backend);
  const numbers = await read(context), shown = [0, 2, 3];
  const rest = shown.flatMap((t) => [...numbers.subarray(12 * t, 12 * (t + 1))]);
  const masked = crossAttentionState(params, context, { mask: [[1, 0, 1, 1, 0]] });
  const alone = crossAttentionState(params, tensor(rest, [1, 3, 12], backend));
  assertSame(await read(masked.mask!), [1, 0, 1, 1, 0]);
  assertNear(
    await read(crossAttention(params, x, masked).y),
    await read(crossAttention(params, x, alone).y),
    1e-6,
  );
});

testOnAll("crossAttention() returns its state, and the output bias where all is hidden", async (backend) => {
  const params = await put({ ...attentionParams(1), ...biases } as MultiHeadAttentionParams, backend);
  const [x, context] = await put([draws(2, [2, 3, 12]), draws(3, [2, 2, 12])], backend);
  const state = crossAttentionState(params, context, { mask: [[0, 0], [1, 1]] });
  const { y, state: after } = crossAttention(params, x, state);
  assert(after === state);
  const bias = [...await read(params.outputBias!)];
  assertNear((await read(y)).slice(0, 36), [...bias, ...bias, ...bias], 1e-6);
  const none = crossAttentionState(params, tensor([], [2, 0, 12], backend));
  assertNear((await read(crossAttention(params, x, none).y)).slice(60), bias, 1e-6);
});

testOnAll("crossAttentionState() takes a context of another width", async (backend) => {
  const narrow = { key: draws(5, [12, 7]), value: draws(6, [12, 7]) };
  const params = await put({ ...attentionParams(1), ...narrow }, backend);
  const [x, context] = await put([draws(2, [1, 3, 12]), draws(3, [1, 4, 7])], backend);
  const state = crossAttentionState(params, context);
  assertEquals([state.key.shape, state.value.shape, state.mask], [[1, 4, 12], [1, 4, 12], undefined]);
  assertEquals(crossAttention(params, x, state).y.shape, [1, 3, 12]);
});

/** A decoder of one layer: causal attention to itself, then to the context. */
function decode(params: MultiHeadAttentionParams, x: Tensor, { self, cross }: DecoderState) {
  const within = multiHeadAttention(params, x, self), across = crossAttention(params, within.y, cross);
  return { y: add(within.y, across.y), state: { self: within.state, cross: across.state } };
}

interface DecoderState {
  readonly self: ReturnType<typeof multiHeadAttentionState>;
  readonly cross: ReturnType<typeof crossAttentionState>;
}

testOnAll("a compiled decoder with crossAttention() grows its cache in one recording", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const context = await put(draws(3, [2, 5, 12]), backend);
  let runs = 0;
  using step = compile((params: MultiHeadAttentionParams, x: Tensor, state: DecoderState) => {
    runs++;
    return decode(params, x, state);
  });
  const start = () => ({
    self: multiHeadAttentionState(params, 2, 40),
    cross: crossAttentionState(params, context, { mask: [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]] }),
  });
  let compiled = start(), plain = start();
  for (let t = 0; t < 20; t++) {
    const x = await put(draws(30 + t, [2, 1, 12]), backend);
    const fast = step(params, x, compiled), slow = decode(params, x, plain);
    assertSame(await read(fast.y), await read(slow.y), `step ${t}`);
    compiled = fast.state, plain = slow.state;
  }
  assert(runs <= 4, `${runs} runs`);
});

testOnAll("crossAttention() propagates gradients to the context, also compiled", async (backend) => {
  const params = await put(attentionParams(1), backend);
  const x = await put([draws(2, [2, 7, 12]), draws(3, [2, 3, 12])], backend);
  const ids = [0, 1, 2, 3, 11, 5, 6];
  const slopes = (x: readonly Tensor[]) =>
    valueAndGrad(([x, context]: readonly Tensor[]) => {
      const { y } = crossAttention(params, x, crossAttentionState(params, context));
      return crossEntropy(y, [ids, ids]);
    }, x);
  using compiled = compile(slopes);
  const expected = slopes(x);
  for (const { grads } of [compiled(x), compiled(x)]) {
    for (const [i, grad] of grads.entries()) assertSame(await read(grad), await read(expected.grads[i]));
  }
  assert((await read(expected.grads[1])).every((slope) => slope !== 0));
});

const params = attentionParams(1), x = draws(2, [2, 3, 12]), context = draws(3, [2, 5, 12]);
const state = crossAttentionState(params, context);

testFailures("crossAttention()", [
  [
    "heads that don't divide the channels",
    () => crossAttention({ ...params, heads: 5 }, x, state),
    RangeError,
    "Cannot attend to context: heads must divide C, current heads is 5 and C is 12",
  ],
  [
    "positions",
    () => crossAttention({ ...params, rotaryBase: 10_000 }, x, state),
    TypeError,
    "Cannot attend to context: params.rotaryBase must be undefined, current value is 10000",
  ],
  [
    "x of another width",
    () => crossAttention(params, draws(2, [2, 3, 11]), state),
    TypeError,
    "Cannot attend to context: x must be [B, T, 12], current shape is [2, 3, 11]",
  ],
  [
    "the context instead of a state",
    () => crossAttention(params, x, wrong(context)),
    TypeError,
    "Cannot attend to context: state.key must be a tensor [2, S, 12], current value is undefined",
  ],
  [
    "a context of another batch size",
    () => crossAttention(params, draws(2, [1, 3, 12]), state),
    TypeError,
    "Cannot attend to context: state.key must be [1, S, 12], current shape is [2, 5, 12]",
  ],
  [
    "keys and values of different lengths",
    () => crossAttention(params, x, { ...state, value: x }),
    TypeError,
    "Cannot attend to context: state.value must be [2, 5, 12], current shape is [2, 3, 12]",
  ],
  [
    "a mask of another length",
    () => crossAttention(params, x, { ...state, mask: draws(3, [2, 4]) }),
    TypeError,
    "Cannot attend to context: state.mask must be [2, 5], current shape is [2, 4]",
  ],
]);

testFailures("crossAttentionState()", [
  [
    "positions",
    () => crossAttentionState({ ...params, rotaryBase: 500 }, context),
    TypeError,
    "Cannot make cross-attention state: params.rotaryBase must be undefined, current value is 500",
  ],
  [
    "a context of another width",
    () => crossAttentionState(params, draws(3, [2, 5, 11])),
    TypeError,
    "Cannot make cross-attention state: context must be [B, S, 12], current shape is [2, 5, 11]",
  ],
  [
    "keys and values of different widths",
    () => crossAttentionState({ ...params, value: draws(3, [12, 5]) }, context),
    TypeError,
    "Cannot make cross-attention state: params.value must be [12, 12], current shape is [12, 5]",
  ],
  [
    "a mask of another length",
    () => crossAttentionState(params, context, { mask: [[1, 1], [1, 1]] }),
    TypeError,
    "Cannot make cross-attention state: mask must be 2 lists of 5 numbers 0 or 1, current length of list 0 is 2",
  ],
]);
