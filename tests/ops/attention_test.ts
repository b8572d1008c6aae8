import {
  appendTime,
  attention,
  compile,
  createReference,
  crossEntropy,
  read,
  readFloat64,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { attention as kernel } from "../../src/ops/attention/reference.ts";
import { randomSource } from "../../src/random.ts";
import {
  assertNear,
  assertSame,
  normal,
  numbers,
  randomTensor,
  runKernel,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { attentionCases, maskedAttentionCases, wholeAttentionCases } from "./cases/attention.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("attention()", attentionCases);
runOnAll("attention() with a mask", maskedAttentionCases);
runOnAll("attention() of all keys", wholeAttentionCases);

testOnAll("attention() of all keys is that of each query by itself", async (backend) => {
  for (const [time, seen, channels] of [[3, 70, 16], [9, 5, 6], [33, 33, 14]]) {
    const queries = Array.from({ length: time }, (_, i) => randomTensor(i + 3, [2, 1, channels], backend));
    const [key, value] = [1, 2].map((seed) => randomTensor(seed, [2, seen, channels], backend));
    const alone = queries.map((query) => attention(query, key, value, 2)).reduce(appendTime);
    const together = attention(queries.reduce(appendTime), key, value, 2, { causal: false });
    assertNear(await read(together), await read(alone), 1e-5);
  }
});

testOnAll("attention() of all keys is the same compiled and differentiated", async (backend) => {
  const inputs = [[2, 9, 6], [2, 5, 6], [2, 5, 6]].map((shape, i) => randomTensor(i, shape, backend));
  const ids = [0, 1, 2, 3, 4, 5, 0, 1, 2];
  const loss = ([query, key, value]: readonly Tensor[]) =>
    crossEntropy(attention(query, key, value, 3, { causal: false }), [ids, ids]);
  const slopes = (x: readonly Tensor[]) => valueAndGrad(loss, x);
  using compiled = compile(slopes);
  const expected = slopes(inputs);
  for (const { value, grads } of [compiled(inputs), compiled(inputs)]) {
    assertSame(await read(value), await read(expected.value));
    for (const [i, grad] of grads.entries()) assertSame(await read(grad), await read(expected.grads[i]));
  }
});

testOnAll("attention() with a mask of ones is that without, bit for bit", async (backend) => {
  for (const [time, seen, channels] of [[1, 70, 16], [3, 5, 6], [9, 33, 14]]) {
    const query = randomTensor(1, [2, time, channels], backend);
    const [key, value] = [2, 3].map((seed) => randomTensor(seed, [2, seen, channels], backend));
    const mask = tensor(new Float32Array(2 * seen).fill(1), [2, seen], backend);
    const y = attention(query, key, value, 2), masked = attention(query, key, value, 2, { mask });
    assertSame(await readFloat64(masked), await readFloat64(y));
  }
});

/** For one head of one sequence, the whole T×S matrix, softmax of its rows, times the values. */
function naive(query: number[][], key: number[][], value: number[][]): number[][] {
  const shift = key.length - query.length;
  return query.map((q, i) => {
    const scores = key.map((k, j) =>
      j <= i + shift ? Math.exp(q.reduce((sum, x, c) => sum + x * k[c], 0) / Math.sqrt(q.length)) : 0
    );
    const total = scores.reduce((sum, score) => sum + score, 0);
    return q.map((_, c) => scores.reduce((sum, score, j) => sum + score / total * value[j][c], 0));
  });
}

Deno.test("attention() equals softmax of the whole masked matrix, head by head", async () => {
  using backend = createReference({ precision: "float64" });
  const random = randomSource(1);
  for (const [time, seen] of [[7, 7], [3, 9], [1, 5]]) {
    const [q, k, v] = [time, seen, seen].map((steps) => normal(random, [2, steps, 6]));
    const [query, key, value] = [q, k, v].map(({ data, shape }) => tensor(data, shape, backend));
    const y = await readFloat64(attention(query, key, value, 2));
    const head = (data: Float32Array | Float64Array, steps: number, b: number, h: number) =>
      Array.from({ length: steps }, (_, t) => [...data.subarray((b * steps + t) * 6 + 3 * h).subarray(0, 3)]);
    for (const [b, h] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
      const expected = naive(head(q.data, time, b, h), head(k.data, seen, b, h), head(v.data, seen, b, h));
      assertNear(head(y, time, b, h).flat(), expected.flat(), 1e-12);
    }
  }
});

Deno.test("attention() to a key with a dominant score is that key's value", async () => {
  const key = tensor([1, 0, 0, 1, 0, 0], [1, 3, 2]), value = tensor([1, 2, 3, 4, 5, 6], [1, 3, 2]);
  const query = tensor([1000, 0, 0, 1000], [1, 2, 2]);
  assertSame(await readFloat64(attention(query, key, value, 1)), [1, 2, 3, 4]);
});

Deno.test("the attention kernel writes its output, and reads only the filled part of the caches", () => {
  const random = randomSource(2);
  const query = normal(random, [2, 2, 6]).data;
  // Three steps are filled; the capacity is 4 for keys and 5 for values.
  const cache = (room: number) =>
    numbers([2, room, 6], (i) => Math.floor(i / 6) % room < 3 ? random.normal() : NaN).data;
  const key = cache(4), value = cache(5);
  const [y] = runKernel(kernel, [24], [query, key, value, null], [2, 2, 3, 4, 5, 0, 6, 3, 1]);
  const second = [query.slice(12), key.slice(24, 42), value.slice(30, 48), null];
  assertSame(y.slice(12), runKernel(kernel, [12], second, [1, 2, 3, 3, 3, 0, 6, 3, 1])[0]);
});

const x = tensor(new Float32Array(12), [1, 2, 6]), longer = tensor(new Float32Array(18), [1, 3, 6]);
const elsewhere = createReference();
const freed = tensor([1], [1, 1, 1]);
freed.backend.free(freed);

testFailures("attention()", [
  [
    "query not a tensor",
    () => attention(wrong(null), x, x, 1),
    TypeError,
    "Cannot attend: query must be a tensor [B, T, C], current value is null",
  ],
  [
    "query",
    () => attention(tensor([1, 2], [1, 2]), x, x, 1),
    TypeError,
    "Cannot attend: query must be [B, T, C], current shape is [1, 2]",
  ],
  [
    "another width",
    () => attention(x, tensor([1, 2], [1, 2, 1]), x, 1),
    TypeError,
    "Cannot attend: key must be [1, S, 6], current shape is [1, 2, 1]",
  ],
  [
    "another batch",
    () => attention(x, tensor(new Float32Array(24), [2, 2, 6]), x, 1),
    TypeError,
    "Cannot attend: key must be [1, S, 6], current shape is [2, 2, 6]",
  ],
  [
    "value",
    () => attention(x, longer, x, 1),
    TypeError,
    "Cannot attend: value must be [1, 3, 6], current shape is [1, 2, 6]",
  ],
  [
    "more queries than keys",
    () => attention(longer, x, x, 1),
    RangeError,
    "Cannot attend: queries must be no more than keys, current T is 3 and S is 2",
  ],
  [
    "heads that don't divide C",
    () => attention(x, x, x, 4),
    RangeError,
    "Cannot attend: heads must divide C, current heads is 4 and C is 6",
  ],
  ...[0, -1, 1.5, NaN].map((heads) =>
    [
      `${heads} heads`,
      () => attention(x, x, x, heads),
      RangeError,
      `Cannot attend: heads must be an integer at least 1, current value is ${heads}`,
    ] as const
  ),
  [
    "heads no number",
    () => attention(x, x, x, wrong("2")),
    TypeError,
    'Cannot attend: heads must be a number, current value is "2"',
  ],
  [
    "mask",
    () => attention(x, longer, longer, 1, { mask: tensor([1, 1], [1, 2]) }),
    TypeError,
    "Cannot attend: mask must be [1, 3], current shape is [1, 2]",
  ],
  [
    "a mask of lists",
    () => attention(x, x, x, 1, { mask: wrong([[1, 1]]) }),
    TypeError,
    "Cannot attend: mask must be a tensor [1, 2], current value is an array of length 1",
  ],
  [
    "causal not a boolean",
    () => attention(x, x, x, 1, { causal: wrong(0) }),
    TypeError,
    "Cannot attend: causal must be true or false, current value is 0",
  ],
  [
    "an unknown option",
    () => attention(x, x, x, 1, wrong({ masked: x })),
    TypeError,
    "Cannot attend: options must have known names (perhaps mask), current one is masked",
  ],
  [
    "backends",
    () => attention(x, x, tensor(new Float32Array(12), [1, 2, 6], elsewhere), 1),
    TypeError,
    "Cannot attend: all tensors must live on one backend (move them with put), current query lives on reference " +
    "and value on another reference",
  ],
  [
    "freed",
    () => attention(freed, freed, freed, 1),
    TypeError,
    "Cannot attend: tensor must be alive, current tensor of shape [1, 1, 1] on reference was freed",
  ],
]);
