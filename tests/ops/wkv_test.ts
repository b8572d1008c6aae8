import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  appendTime,
  type Backend,
  createReference,
  createWasm,
  lastStep,
  read,
  readFloat64,
  tensor,
  wkv,
  wkvState,
} from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { engineOf } from "../../src/engine.ts";
import { wkv as kernel } from "../../src/ops/wkv/reference.ts";
import { randomSource } from "../../src/random.ts";
import {
  assertNear,
  assertSame,
  normal,
  numbers,
  runKernel,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { wkvCases, wkvView } from "./cases/wkv.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("wkv()", wkvCases);

Deno.test("wkv() equals the sums of its definition", async () => {
  using backend = createReference({ precision: "float64" });
  const random = randomSource(1), time = 40;
  const value = normal(random, [1, time, 1]).data;
  for (const deviation of [1, 20]) {
    const key = normal(random, [1, time, 1], deviation).data;
    const [w, u, a, b, q, n] = [-0.3, 0.7, 1.5, 2.5, -0.4, 3];
    const put = (data: ArrayLike<number>, shape: number[]) => tensor(data, shape, backend);
    const params = { decay: put([w], [1]), bonus: put([u], [1]) };
    const x = { key: put(key, [1, time, 1]), value: put(value, [1, time, 1]) };
    const y = await readFloat64(wkv(params, x, put([a, b, q, n], [1, 4, 1])).y);
    const expected = Array.from({ length: time }, (_, t) => {
      const start = Math.exp(q + n * w + t * w), now = Math.exp(u + key[t]);
      let above = start * a + now * value[t], below = start * b + now;
      for (let i = 0; i < t; i++) {
        const weight = Math.exp((t - 1 - i) * w + key[i]);
        above += weight * value[i];
        below += weight;
      }
      return above / below;
    });
    assertNear(y, expected, 1e-12, `keys of deviation ${deviation}`);
  }
});

/** Long sequences on which an exponent that is rounded at every step would drift: 2% of the keys are ±50. */
function longInputs(channels: number, time: number) {
  const random = randomSource(3);
  return {
    decay: numbers([channels], (c) => -Math.exp(-6 + 8 * c / channels)).data,
    bonus: normal(random, [channels]).data,
    key: numbers([time * channels], () => {
      return random.uniform() < 0.02 ? 50 * Math.sign(random.normal()) : random.normal();
    }).data,
    value: normal(random, [time * channels]).data,
  };
}

/** All outputs of a scan that is cut into parts of these lengths; the last length repeats. */
function scanInParts(
  backend: Backend,
  { decay, bonus, key, value }: ReturnType<typeof longInputs>,
  lengths: readonly number[],
) {
  const channels = decay.length, time = key.length / channels;
  const params = { decay: tensor(decay, [channels], backend), bonus: tensor(bonus, [channels], backend) };
  let state = wkvState(1, channels, backend);
  let all = engineOf(backend).reserveTime(1, time, channels);
  for (let from = 0, part = 0; from < time; part++) {
    const until = Math.min(time, from + lengths[Math.min(part, lengths.length - 1)]);
    const cut = (data: Float32Array) =>
      tensor(data.subarray(from * channels, until * channels), [1, until - from, channels], backend);
    const before = [state, all];
    [state, all] = backend.scope(() => {
      const { y, state: next } = wkv(params, { key: cut(key), value: cut(value) }, state);
      return [next, appendTime(all, y)];
    });
    backend.free(before);
    from = until;
  }
  return readFloat64(all);
}

testOnAll("wkv() does not drift over 4096 steps, wherever they are split", async (backend) => {
  const inputs = longInputs(13, 4096);
  using exact = createReference({ precision: "float64" });
  const expected = await scanInParts(exact, inputs, [4096]);
  for (const lengths of [[4096], [1], [1, 4095], [2049, 2047], [37], [129]]) {
    const y = await scanInParts(backend, inputs, lengths);
    let error = 0;
    expected.forEach((value, i) =>
      error = Math.max(error, Math.abs(y[i] - value) / (Math.abs(value) + 0.01))
    );
    assert(error <= 2e-4, `split into ${lengths}: error is ${error}`);
  }
});

testOnAll("wkv() may be split anywhere", async (backend) => {
  const size = fc.integer({ min: 1, max: 9 });
  const property = fc.asyncProperty(
    size,
    size,
    size,
    size,
    fc.nat(),
    async (batch, before, after, channels, seed) => {
      const random = randomSource(seed);
      const put = (data: ArrayLike<number>, shape: number[]) => tensor(data, shape, backend);
      const decay = numbers([channels], () => -Math.exp(random.normal()));
      const params = {
        decay: put(decay.data, [channels]),
        bonus: put(normal(random, [channels]).data, [channels]),
      };
      const run = async (batches: Float32Array[][], start: typeof state, time: number) => {
        const [key, value] = batches.map((rows) =>
          put(rows.flatMap((row) => [...row]), [batch, time, channels])
        );
        const { y, state } = wkv(params, { key, value }, start);
        return { y: await read(y), state };
      };
      const state = wkvState(batch, channels, backend);
      const time = before + after, cut = before * channels;
      const rows = [0, 1].map(() =>
        Array.from({ length: batch }, () => normal(random, [time, channels], 3).data)
      );
      const whole = await run(rows, state, time);
      const head = await run(rows.map((all) => all.map((row) => row.slice(0, cut))), state, before);
      const tail = await run(rows.map((all) => all.map((row) => row.slice(cut))), head.state, after);
      const joined = rows[0].flatMap((_, b) => [
        ...head.y.slice(b * cut, (b + 1) * cut),
        ...tail.y.slice(b * after * channels, (b + 1) * after * channels),
      ]);
      assertNear(joined, whole.y, 1e-5, "y");
      const view = async (result: typeof whole) =>
        wkvView([new Float64Array(), await readFloat64(result.state)], [decay]);
      const [, means, weights] = await view(tail), [, wantedMeans, wantedWeights] = await view(whole);
      assertNear(means, wantedMeans, 1e-5, "mean");
      assertNear(weights, wantedWeights, 1e-5, "weight");
    },
  );
  await fc.assert(property, { numRuns: 40, seed: 1 });
});

testOnAll("wkvState() is empty, with an anchor below every key", async (backend) => {
  const state = wkvState(2, 3, backend);
  assertEquals(state.shape, [2, 4, 3]);
  const one = [0, 0, 0, 0, 0, 0, -1e38, -1e38, -1e38, 0, 0, 0].map(Math.fround);
  assertSame(await read(state), [...one, ...one]);
  const params = { decay: tensor([-1], [1], backend), bonus: tensor([0], [1], backend) };
  const x = { key: tensor([-1e30], [1, 1, 1], backend), value: tensor([3], [1, 1, 1], backend) };
  assertSame(await read(wkv(params, x, wkvState(1, 1, backend)).y), [3], "the first step is its value");
});

Deno.test("the wkv kernel writes its outputs and nothing else", () => {
  const random = randomSource(4);
  const [bonus, key, value] = [[5], [2, 3, 5], [2, 3, 5]].map((shape) => normal(random, shape).data);
  const decay = numbers([5], () => -random.uniform()).data;
  const state = numbers([2, 4, 5], () => 0.5 + random.uniform()).data;
  const outputs = runKernel(kernel, [30, 40], [decay, bonus, key, value, state], [2, 3, 5]);
  const second = [decay, bonus, key.slice(15), value.slice(15), state.slice(20)];
  runKernel(kernel, [15, 20], second, [1, 3, 5]).forEach((output, i) => {
    assertSame(outputs[i].slice(output.length), output, `output ${i}`);
  });
  const [, still] = runKernel(
    kernel,
    [0, 40],
    [decay, bonus, new Float32Array(), new Float32Array(), state],
    [2, 0, 5],
  );
  assertSame(still, state, "state after no step");
});

const two = tensor([-1, -1], [2]), one = tensor([-1], [1]);
const params = { decay: two, bonus: two };
const rows = tensor([1, 2, 3, 4], [1, 2, 2]), short = tensor([1, 2], [1, 1, 2]);
const x = { key: rows, value: rows };
const elsewhere = createReference();

testFailures("wkv()", [
  [
    "decay not a tensor",
    () => wkv({ ...params, decay: wrong(-1) }, x, wkvState(1, 2)),
    TypeError,
    "Cannot scan WKV: decay must be a tensor [C], current value is -1",
  ],
  [
    "decay",
    () => wkv({ ...params, decay: rows }, x, wkvState(1, 2)),
    TypeError,
    "Cannot scan WKV: decay must be [C], current shape is [1, 2, 2]",
  ],
  [
    "bonus",
    () => wkv({ ...params, bonus: one }, x, wkvState(1, 2)),
    TypeError,
    "Cannot scan WKV: bonus must be [2], current shape is [1]",
  ],
  [
    "key",
    () => wkv({ decay: one, bonus: one }, x, wkvState(1, 1)),
    TypeError,
    "Cannot scan WKV: key must be [B, T, 1], current shape is [1, 2, 2]",
  ],
  [
    "value",
    () => wkv(params, { key: rows, value: short }, wkvState(1, 2)),
    TypeError,
    "Cannot scan WKV: value must be [1, 2, 2], current shape is [1, 1, 2]",
  ],
  [
    "a state of another batch",
    () => wkv(params, x, wkvState(3, 2)),
    TypeError,
    "Cannot scan WKV: state must be [1, 4, 2], current shape is [3, 4, 2]",
  ],
  [
    "backends",
    () => wkv(params, x, wkvState(1, 2, elsewhere)),
    TypeError,
    "Cannot scan WKV: all tensors must live on one backend (move them with put), current key lives on reference " +
    "and state on another reference",
  ],
]);

testFailures("wkvState()", [
  [
    "no batch",
    () => wkvState(0, 2),
    RangeError,
    "Cannot make WKV state: batch must be an integer at least 1, current value is 0",
  ],
  [
    "NaN channels",
    () => wkvState(1, NaN),
    RangeError,
    "Cannot make WKV state: channels must be an integer at least 1, current value is NaN",
  ],
  [
    "batch no number",
    () => wkvState(wrong("1"), 1),
    TypeError,
    'Cannot make WKV state: batch must be a number, current value is "1"',
  ],
  [
    "a backend not awaited",
    () => wkvState(1, 1, wrong(Promise.resolve(elsewhere))),
    TypeError,
    "Cannot make WKV state: backend must be a backend (await the promise of one), current value is a promise",
  ],
]);

for (const simd of ["relaxed", "baseline"] as const) {
  Deno.test(`the gradients of wkv() on wasm, ${simd}, are not subnormal, which would slow down later products`, async () => {
    using backend = await createWasm({ simd });
    const put = (values: number[], shape: number[]) => tensor(values, shape, backend), time = 64;
    const gradients = vjp(
      ([key, value]) => {
        const { y } = wkv(
          { decay: put([-3], [1]), bonus: put([0], [1]) },
          { key, value },
          wkvState(1, 1, backend),
        );
        return [lastStep(y)];
      },
      [put(Array(time).fill(0.1), [1, time, 1]), put(Array(time).fill(0.2), [1, time, 1])],
      [put([1], [1, 1])],
    ).grads;
    const gValue = await read(gradients[1]);
    assert(gValue[0] === 0 && gValue[time - 20] > 0);
    for (const each of gradients) {
      for (const number of await read(each)) assert(number === 0 || Math.abs(number) >= 2 ** -126);
    }
  });
}
