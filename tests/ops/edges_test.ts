/** Numbers at the limits of single precision, one by one; `extremes_test.ts` draws random ones. */
import { assert, assertEquals } from "@std/assert";
import {
  attention,
  createReference,
  crossEntropy,
  gelu,
  layerNorm,
  linear,
  lstmRecurrence,
  mix,
  negativeExp,
  put,
  read,
  readFloat64,
  rwkv,
  type Tensor,
  tensor,
  timeMix,
  timeMixState,
  treeMap,
  valueAndGrad,
  wkv,
  wkvState,
} from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { compute, run } from "../../src/compute.ts";
import { geluOp, mixOp, negativeExpOp } from "../../src/ops/elementwise/mod.ts";
import { layerNormOp } from "../../src/ops/layer_norm/mod.ts";
import { linearBackwardInputOp, linearBackwardWeightOp } from "../../src/ops/linear/mod.ts";
import { lstmRecurrenceBackwardOp } from "../../src/ops/lstm/mod.ts";
import { wkvOp } from "../../src/ops/wkv/mod.ts";
import { assertNear, assertSame, runBackward, testOnAll } from "../helpers.ts";
import { moved } from "../mixers.ts";

testOnAll("crossEntropy() of equal logits is ln V, also for large ones", async (backend) => {
  for (const logit of [1e-30, 1e8, -1e16, 1e16, 1e20, 1e30]) {
    const logits = tensor([logit, logit, logit], [1, 1, 3], backend);
    assertNear(await read(crossEntropy(logits, [[1]])), [Math.log(3)], 1e-6, `loss at ${logit}`);
  }
});

testOnAll("crossEntropy() is accurate for a loss far below 1, as is its gradient", async (backend) => {
  const logits = tensor([50, 0, 9, 5, 45, 5], [1, 2, 3], backend);
  const loss = (2 * Math.exp(-40) + Math.exp(-41) + Math.exp(-50)) / 2;
  assertNear(await read(crossEntropy(logits, [[0, 1]])), [loss], 1e-5);
});

testOnAll("crossEntropy() weights losses of 1e30 with weights of 1e30", async (backend) => {
  const logits = tensor([1e30, -1e30, 2e30, 0], [1, 2, 2], backend);
  assertNear(await read(crossEntropy(logits, [[1, 1]], [[1e30, 3e30]])), [2e30], 1e-6);
});

testOnAll("crossEntropy() accepts any id where the weight is 0", async (backend) => {
  const logits = tensor([0, 0, 3, 1, 7, 9], [1, 3, 2], backend);
  for (const id of [-100, 2, 0.5, NaN, Infinity]) {
    for (const weights of [[[1, 0, 0]], tensor([1, 0, 0], [1, 3], backend)]) {
      assertNear(
        await read(crossEntropy(logits, [[1, id, -1]], weights)),
        [Math.LN2],
        1e-6,
        `loss beside ${id}`,
      );
      const { grads } = valueAndGrad((x) => crossEntropy(x, [[1, id, -1]], weights), logits);
      assertNear(await read(grads), [0.5, -0.5, 0, 0, 0, 0], 1e-6, `gradient beside ${id}`);
    }
  }
  // As a tensor of ids, whose values are not known on the host.
  const weights = tensor([1, 1, 0], [1, 3], backend);
  assertSame(await read(crossEntropy(logits, [[1, -100, 0]], weights)), [NaN]);
});

/** [1, 2, 3, 5] normalized. */
const normalized = [-7, -3, 1, 9].map((x) => x / Math.sqrt(35));

testOnAll("layerNorm() of a large row equals that of a small one", async (backend) => {
  const params = { weight: tensor([1, 1, 1, 1], [4], backend), bias: tensor([0, 0, 0, 0], [4], backend) };
  for (const scale of [1e3, 1e15, 1e19, 1e25, 1e30, -1e30, 6e37]) {
    const x = tensor([1, 2, 3, 5].map((x) => scale * x), [4], backend);
    const wanted = normalized.map((y) => Math.sign(scale) * y);
    assertNear(await read(layerNorm(x, params)), wanted, 1e-5, `times ${scale}`);
  }
  const equal = tensor([1e30, 1e30, 1e30, 1e30], [4], backend);
  assertSame(await read(layerNorm(equal, params)), [0, 0, 0, 0], "equal numbers");
});

testOnAll("layerNorm() of a small row is determined by ε", async (backend) => {
  const params = { weight: tensor([1, 1, 1, 1], [4], backend), bias: tensor([0, 0, 0, 0], [4], backend) };
  for (const scale of [1e-10, 1e-20, 1e-30]) {
    const x = tensor([1, 2, 3, 5].map((x) => scale * x), [4], backend);
    const wanted = [-7, -3, 1, 9].map((y) => scale * y / 4 / Math.sqrt(1e-5));
    assertNear(await read(layerNorm(x, params)), wanted, 1e-5, `times ${scale}`);
    const bare = compute(layerNormOp, [x, params.weight, params.bias], [0])[0];
    assertNear(await read(bare), normalized, 1e-5, `times ${scale} without ε`);
  }
});

testOnAll("layerNorm() has the exact gradient at any magnitude", async (backend) => {
  const weight = tensor([1, 2, -1, 1], [4], backend), gy = [1, -1, 0.5, 2];
  const g = gy.map((x, i) => x * [1, 2, -1, 1][i]);
  const mean = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0) / 4;
  const slope = g.map((x, i) => x - mean(g) - normalized[i] * mean(g.map((y, j) => y * normalized[j])));
  for (const [scale, seed] of [[1e19, 1], [1e30, 1], [1e30, 1e30], [1e-30, 1e-30]]) {
    const x = tensor([1, 2, 3, 5].map((x) => scale * x), [1, 4], backend);
    const seeds = tensor(gy.map((x) => seed * x), [1, 4], backend);
    const [gx, gWeight] = runBackward(layerNormOp, [seeds, x, weight, weight], [scale < 1 ? 0 : 1e-5]);
    const deviation = scale * Math.sqrt(35 / 16);
    assertNear(await read(gx), slope.map((s) => seed * s / deviation), 1e-5, `gx of ${scale}`);
    assertNear(await read(gWeight), gy.map((x, i) => seed * x * normalized[i]), 1e-5, `gWeight of ${scale}`);
  }
});

testOnAll("gelu() at infinity is its limit, as is its gradient", async (backend) => {
  const x = tensor([Infinity, -Infinity, 3e38, -3e38, NaN], [5], backend);
  const y = await read(gelu(x));
  assertEquals([...y].map((value) => value + 0), [Infinity, 0, Math.fround(3e38), 0, NaN]);
  const gx = await read(runBackward(geluOp, [tensor([2, 3, -2, 3, 1], [5], backend), x])[0]);
  assertEquals([...gx].map((value) => value + 0), [2, 0, -2, 0, NaN]);
});

testOnAll("negativeExp() has a gradient where it is infinite", async (backend) => {
  const x = tensor([89, 100, 100, -200], [4], backend);
  assertSame(await read(negativeExp(x)), [-Infinity, -Infinity, -Infinity, -0]);
  const gx = await read(runBackward(negativeExpOp, [tensor([1e-20, 0, 1, 1], [4], backend), x])[0]);
  assertNear(gx.slice(0, 2), [-1e-20 * Math.exp(89), 0], 1e-5);
  assertEquals([gx[2], gx[3] + 0], [-Infinity, 0]);
});

testOnAll(
  "wkv() with a decay of -Infinity weights only the previous step and this one",
  async (backend) => {
    const keys = [0.3, 5, -1, 0], values = [1, -2, 4, 3], u = 0.5;
    const put = (data: number[], shape: number[]) => tensor(data, shape, backend);
    const wanted = values.map((value, t) => {
      const own = Math.exp(u + keys[t]), before = t > 0 ? Math.exp(keys[t - 1]) : 0;
      return (before * (values[t - 1] ?? 0) + own * value) / (before + own);
    });
    for (const raw of [88.5, 89, 100, 1000]) {
      const decay = negativeExp(put([raw], [1]));
      const x = { key: put(keys, [1, 4, 1]), value: put(values, [1, 4, 1]) };
      const { y, state } = wkv({ decay, bonus: put([u], [1]) }, x, wkvState(1, 1, backend));
      assertNear(await read(y), wanted, 1e-5, `y of ${raw}`);
      assertSame(await read(state), [3, 1, 0, 0], `state of ${raw}`);
    }
  },
);

/** On a GPU, a long sequence is computed in chunks. */
const lengths = [3, 300];

testOnAll("wkv() includes bonus and decay beside keys of 1e30, forward and backward", async (backend) => {
  const put = (data: Float32Array | number[], shape: number[]) => tensor(data, shape, backend);
  for (const time of lengths) {
    const run = async (key: number) => {
      const x = new Float32Array(time).fill(key), [decay, bonus] = [put([-0.4], [1]), put([1.5], [1])];
      const values = put(Float32Array.from({ length: time }, (_, t) => Math.sin(t)), [1, time, 1]);
      const keys = put(x, [1, time, 1]), start = wkvState(1, 1, backend);
      const [y] = compute(wkvOp, [decay, bonus, keys, values, start]);
      const gy = put(Float32Array.from({ length: time }, (_, t) => Math.cos(3 * t)), [1, time, 1]);
      const none = put([0, 0, 0, 0], [1, 4, 1]);
      const grads = runBackward(wkvOp, [gy, none, decay, bonus, keys, values, start, y]);
      const numbers = [await read(y)];
      for (const grad of grads.slice(0, 4)) numbers.push(await read(grad));
      return numbers;
    };
    const [large, small] = [await run(1e30), await run(0)];
    for (const [i, grad] of large.entries()) {
      assertNear(grad, small[i], 1e-4, i === 0 ? `y of ${time} steps` : `gradient ${i - 1} of ${time} steps`);
    }
  }
});

testOnAll("timeMix() and its gradient allow a time_decay of 100", async (backend) => {
  const params = await put(
    moved(rwkv.init({ vocabulary: 5, layers: 1, channels: 6, feedForward: 6 }, 1), 1),
    backend,
  );
  const layer = params.blocks[0].timeMix;
  const sharp = { ...layer, decay: tensor([89, 100, 1000, 0, 1, 2], [6], backend) };
  const x = tensor(Float32Array.from({ length: 18 }, (_, i) => Math.sin(i)), [1, 3, 6], backend);
  const { grads, value } = valueAndGrad((p) => {
    const { y } = timeMix(p, x, timeMixState(p, 1));
    return crossEntropy(y, [[0, 1, 2]]);
  }, sharp);
  assert(Number.isFinite((await read(value))[0]));
  const leaves: Promise<Float32Array>[] = [];
  treeMap(grads, (t) => (leaves.push(read(t)), t));
  for (const leaf of await Promise.all(leaves)) assert(leaf.every(Number.isFinite), `${leaf}`);

  // The blocks in one call are their parts.
  const whole = { ...params, blocks: [{ ...params.blocks[0], timeMix: sharp }] };
  const together = rwkv.forward(whole, [[1, 2, 3]], rwkv.initialState(whole)).logits;
  const { aux } = valueAndGrad((p) => {
    const { logits } = rwkv.forward(p, [[1, 2, 3]], rwkv.initialState(p));
    return [crossEntropy(logits, [[2, 3, 4]]), logits] as const;
  }, whole);
  assertNear(await read(together), await read(aux), 1e-5);
});

testOnAll("attention() with scores beyond single precision weights the largest", async (backend) => {
  for (const queries of [1, 2, 5, 17]) {
    const row = (x: number[], times: number) => Array.from({ length: times }, () => x).flat();
    const put = (data: number[], time: number) => tensor(data, [1, time, 2], backend);
    const query = put(row([1e30, 1e30], queries), queries);
    const value = put([...row([1, 2], 3), ...row([7, 8], queries), 5, 6], queries + 4);
    // The last key has the largest score, or the same score as the others, or a score of -infinity.
    for (const [last, wanted] of [[2e30, [5, 6]], [-1e30, undefined], [1e30, undefined]] as const) {
      const key = put([...row([1e30, 1e30], queries + 3), last, last], queries + 4);
      const y = await read(attention(query, key, value, 1));
      const plain = [0, 1].map((c) => {
        const seen = [3 * [1, 2][c], queries * [7, 8][c], last > 0 ? [5, 6][c] : 0];
        return seen.reduce((sum, x) => sum + x) / (3 + queries + (last > 0 ? 1 : 0));
      });
      assertNear(y.slice(-2), wanted ?? plain, 1e-5, `${queries} queries, ${last}`);
      // The last query sees all keys, and so does any other if attention is not causal.
      const whole = await read(attention(query, key, value, 1, { causal: false }));
      assertNear(whole, row([...wanted ?? plain], queries), 1e-5, `${queries} queries of all keys, ${last}`);
    }
    // All vanish in single precision.
    const low = put(row([-1e30, -1e30], queries + 4), queries + 4);
    const y = await read(attention(query, low, value, 1));
    const sum = [0, 1].map((c) => (3 * [1, 2][c] + queries * [7, 8][c] + [5, 6][c]) / (queries + 4));
    assertNear(y.slice(-2), sum, 1e-5, `${queries} queries, all below`);
  }
});

testOnAll(
  "lstmRecurrence() opens and closes its gates by sums with infinite partial sums",
  async (backend) => {
    for (const [batch, time] of [[1, 1], [2, 17], [3, 1]]) {
      const put = (data: Float32Array | number[], shape: number[]) => tensor(data, shape, backend);
      // Every gate is infinity minus infinity in single precision, though one term is half of the other: all gates
      // are open.
      const weights = Float32Array.from({ length: 8 * 2 }, (_, i) => i % 2 === 0 ? 1e20 : -5e19);
      const gates = new Float32Array(batch * time * 8);
      const state = {
        hidden: put(new Float32Array(2 * batch).fill(1e25), [batch, 2]),
        cell: put(new Float32Array(2 * batch), [batch, 2]),
      };
      const { y } = lstmRecurrence(put(gates, [batch, time, 8]), put(weights, [8, 2]), state);
      const first = (await read(y)).slice(0, 2);
      assertNear(first, [Math.tanh(1), Math.tanh(1)], 1e-5, `${batch}×${time}`);
    }
  },
);

testOnAll("mix() of products beyond single precision is infinite with the right sign", async (backend) => {
  const y = mix(
    tensor([3e30, -1e30, 1e30], [1, 3], backend),
    tensor([1e30, 1e30, 3e30], [1, 3], backend),
    tensor([1e20, 1e20, 1e20], [3], backend),
  );
  assertSame(await read(y), [Infinity, -Infinity, -Infinity]);
});

/** After this many zeros, [1e25, 1e25, -1e25] and [1e20, -1e20, 1]: partial sums of 1e45, a sum of -1e25. */
function factors(rows: number, columns: number, zeros: number): [a: Float32Array, b: Float32Array] {
  const numbers = (count: number, last: number[]) => {
    const data = new Float32Array(count * (zeros + 3));
    for (let row = 1; row <= count; row++) data.set(last, row * (zeros + 3) - 3);
    return data;
  };
  return [numbers(rows, [1e25, 1e25, -1e25]), numbers(columns, [1e20, -1e20, 1])];
}

/** A transposed matrix with this many columns. */
function turned(x: Float32Array, columns: number): Float32Array {
  const rows = x.length / columns;
  return x.map((_, i) => x[i % rows * columns + Math.floor(i / rows)]);
}

/** Rows and columns of a product, and zeros before its last terms: one row, few, some, many in tiles, sums in parts. */
const products = [[1, 1, 0], [1, 23, 0], [2, 5, 70], [3, 9, 0], [9, 70, 5], [33, 13, 0], [3, 2, 300], [
  9,
  2,
  10_100,
]];

testOnAll("linear() is exact for sums with infinite partial sums", async (backend) => {
  for (const [rows, outputs, zeros] of products) {
    const [a, b] = factors(rows, outputs, zeros), inputs = zeros + 3;
    const [x, weight] = [tensor(a, [rows, inputs], backend), tensor(b, [outputs, inputs], backend)];
    const what = `${rows}×${inputs}→${outputs}`, wanted = Array(rows * outputs).fill(-1e25);
    assertNear(await read(linear(x, weight)), wanted, 1e-6, what);
    const none = tensor(new Float32Array(outputs), [outputs], backend);
    assertNear(await read(linear(x, weight, none)), wanted, 1e-6, `${what} with a bias`);
  }
});

testOnAll("linear() has exact gradients for sums with infinite partial sums", async (backend) => {
  for (const [rows, columns, zeros] of products) {
    const [a, b] = factors(rows, columns, zeros), terms = zeros + 3;
    const what = `${rows}×${terms}×${columns}`, wanted = Array(rows * columns).fill(-1e25);
    const weight = tensor(turned(b, terms), [terms, columns], backend);
    const gx = run(linearBackwardInputOp, [tensor(a, [rows, terms], backend), weight])[0];
    assertNear(await read(gx), wanted, 1e-6, `gx of ${what}`);
    const gy = tensor(turned(a, terms), [terms, rows], backend);
    const gWeight = run(linearBackwardWeightOp, [gy, tensor(turned(b, terms), [terms, columns], backend)])[0];
    assertNear(await read(gWeight), wanted, 1e-6, `gWeight of ${what}`);
  }
});

testOnAll("linear() is infinite, or NaN, if the exact sum is", async (backend) => {
  const x = tensor([1e30, 1e30, Infinity, 1e30, NaN, 1, 1e30, -1e30, 1e30, 1e30], [5, 2], backend);
  const weight = tensor([1e30, -1e30, 1e30, 1e30], [2, 2], backend);
  const wanted = [0, Infinity, Infinity, Infinity, NaN, NaN, Infinity, 0, 0, Infinity];
  assertSame((await read(linear(x, weight))).map((y) => y + 0), wanted);
});

testOnAll(
  "layerNorm() of equal numbers has the gradient determined by ε, also for large ones",
  async (backend) => {
    for (const channels of [2, 7, 129]) {
      const weight = tensor(new Float32Array(channels).fill(2), [channels], backend);
      const gy = Array.from({ length: channels }, (_, c) => Math.sin(c)),
        mean = gy.reduce((a, b) => a + b) / channels;
      const wanted = gy.map((g) => 2 * (g - mean) / Math.sqrt(1e-5));
      for (const x of [1e3, 1.1e7, 1e8, 1.7e19, 1e25, -1.3e30, 3e38]) {
        const row = tensor(new Float32Array(channels).fill(x), [1, channels], backend);
        const grads = runBackward(layerNormOp, [tensor(gy, [1, channels], backend), row, weight, weight], [
          1e-5,
        ]);
        assertNear(await read(grads[0]), wanted, 1e-5, `gx of ${channels} times ${x}`);
        assertSame((await read(grads[1])).map((g) => g + 0), Array(channels).fill(0), `gWeight of ${x}`);
      }
    }
  },
);

testOnAll(
  "layerNorm() distinguishes numbers of a row that differ in their last digits",
  async (backend) => {
    const params = { weight: tensor([1, 1], [2], backend), bias: tensor([0, 0], [2], backend) };
    for (const x of [1, 2 ** 20, 2 ** 60, 2 ** 100]) {
      // The mean has one digit more than single precision.
      const y = await read(layerNorm(tensor([x, x * (1 + 3 * 2 ** -23)], [2], backend), params));
      const half = 1.5 * x * 2 ** -23, wanted = half / Math.sqrt(half ** 2 + 1e-5);
      assertNear(y, [-wanted, wanted], 1e-5, `${x}`);
    }
  },
);

testOnAll("layerNorm() has a finite gradient with infinite intermediate values", async (backend) => {
  for (const channels of [5, 129]) {
    const numbers = (first: number, other: number) =>
      Array.from({ length: channels }, (_, c) => c < 2 ? first : other);
    // g is 1e38 twice, but the mean is not; nor is the slope of a standard deviation of 1e10.
    const gy = numbers(1e20, -2e20 / (channels - 2)),
      x = Array.from({ length: channels }, (_, c) => 1e10 * Math.cos(c));
    const weight = numbers(3e18, 3e18), rows = [gy, x].map((row) => tensor(row, [1, channels], backend));
    const on = tensor(weight, [channels], backend);
    const [gx] = runBackward(layerNormOp, [...rows, on, on], [1e-5]);
    using exact = createReference({ precision: "float64" });
    const [wanted] = runBackward(layerNormOp, [
      ...[gy, x].map((row) => tensor(row, [1, channels], exact)),
      ...[weight, weight].map((row) => tensor(row, [channels], exact)),
    ], [1e-5]);
    assertNear(await read(gx), await readFloat64(wanted), 1e-5, `${channels} channels`);
  }
});

testOnAll("attention() has finite gradients with infinite intermediate values", async (backend) => {
  const sizes = [[1, 3, 2], [5, 9, 3], [17, 70, 20], [9, 5, 3], [70, 17, 20]];
  for (const [queries, keys, size] of sizes) {
    const causal = queries < keys;
    const wave = (time: number, unit: number, step: number) =>
      Float32Array.from({ length: time * size }, (_, i) => unit * Math.sin(step * i + 1));
    // Products of gy and values are 1e40, and with keys 1e45; the scores are small, and the slopes of equal scores
    // cancel.
    const inputs = [wave(queries, 1e-10, 3), wave(keys, 1e-15, 5), wave(keys, 1e20, 7)];
    const results = [];
    using exact = createReference({ precision: "float64" });
    for (const on of [exact, backend]) {
      const [query, key, value] = inputs.map((x) => tensor(x, [1, x.length / size, size], on));
      const gy = tensor(wave(queries, 1e20, 2), [1, queries, size], on);
      const { grads } = vjp(
        (x: Tensor[]) => [attention(x[0], x[1], x[2], 1, { causal })],
        [query, key, value],
        [gy],
      );
      results.push(await Promise.all(grads.map(readFloat64)));
    }
    for (const [i, wanted] of results[0].entries()) {
      assertNear(results[1][i], wanted, 1e-4, `gradient ${i} of ${queries} queries`);
    }
  }
});

testOnAll("mix() has a finite gradient of the ratio with infinite intermediate values", async (backend) => {
  const rows = 3, x = [1e20, -1e20, 1], gy = [1e25, 1e25, -1e25];
  const put = (data: number[], shape: number[]) => tensor(data, shape, backend);
  const [, , gRatio] = runBackward(mixOp, [
    put(gy, [1, rows, 1]),
    put(x, [1, rows, 1]),
    put([0, 0, 0], [1, rows, 1]),
    put([0.5], [1]),
  ]);
  assertNear(await read(gRatio), [-1e25], 1e-6);
});

testOnAll(
  "lstmRecurrence() has a finite gradient of the hidden state with infinite intermediate values",
  async (backend) => {
    for (const channels of [3, 520]) {
      const put = (data: Float32Array, shape: number[]) => tensor(data, shape, backend);
      // All gates and the cell are 0: only the gradient of g is not 0 but half of 1e25, and its weights cancel.
      const weights = new Float32Array(4 * channels * channels);
      for (let c = 0; c < channels; c++) {
        for (let row = 0; row < 3; row++) {
          weights[(2 * channels + row) * channels + c] = [1e20, -1e20, 1][row];
        }
      }
      const gCell = new Float32Array(channels);
      gCell.set([2e25, 2e25, -2e25]);
      const [, gHidden] = run(lstmRecurrenceBackwardOp, [
        put(new Float32Array(channels), [1, 1, channels]),
        put(new Float32Array(channels), [1, channels]),
        put(gCell, [1, channels]),
        put(new Float32Array(4 * channels), [1, 1, 4 * channels]),
        put(weights, [4 * channels, channels]),
        put(new Float32Array(channels), [1, channels]),
      ]);
      assertNear(await read(gHidden), Array(channels).fill(-1e25), 1e-6, `${channels} channels`);
    }
  },
);

testOnAll("wkv() has finite gradients with infinite intermediate values", async (backend) => {
  using exact = createReference({ precision: "float64" });
  for (const time of lengths) {
    const results = [];
    for (const on of [exact, backend]) {
      const put = (data: number[], shape: number[]) => tensor(data, shape, on);
      const wave = (unit: number, step: number) =>
        Array.from({ length: 2 * time }, (_, i) => unit * Math.sin(step * i));
      // The gradients of a key and a decay are gy times a difference of values, which are equal here.
      const inputs = [
        put([-1, -2], [2]),
        put([0, 1], [2]),
        put(wave(1, 3), [1, time, 2]),
        put(Array(2 * time).fill(5e18), [1, time, 2]),
      ] as const;
      const state = wkvState(1, 2, on), [y] = compute(wkvOp, [...inputs, state]);
      const none = put(Array(8).fill(0), [1, 4, 2]);
      const grads = runBackward(wkvOp, [put(wave(1e25, 7), [1, time, 2]), none, ...inputs, state, y]);
      results.push(await Promise.all(grads.map(readFloat64)));
    }
    const [wanted, found] = results;
    assertNear(found[3], wanted[3], 1e-5, `values of ${time} steps`);
    // Rounding of 1e43 leaves less than 1e38.
    for (const [i, grad] of found.entries()) {
      assert(grad.every(Number.isFinite), `gradient ${i} of ${time} steps is ${grad}`);
    }
  }
});

testOnAll("wkv() has a finite gradient of the state with infinite intermediate values", async (backend) => {
  using exact = createReference({ precision: "float64" });
  for (const time of [0, ...lengths]) {
    const results = [];
    for (const on of [exact, backend]) {
      const put = (data: number[], shape: number[]) => tensor(data, shape, on);
      const wave = (unit: number, step: number) =>
        Array.from({ length: 2 * time }, (_, i) => unit * Math.sin(step * i + 1));
      // The steps need 1e45 from those before them, where a state scaled by e^-60 counts for that much less.
      const inputs = [
        put([-0.01, -0.1], [2]),
        put([0, 1], [2]),
        put(wave(1, 3), [1, time, 2]),
        put(wave(1e25, 5), [1, time, 2]),
        put([1e25, 1e25, 1, 2, -60, -59, 2, 0], [1, 4, 2]),
      ] as const;
      const [y] = compute(wkvOp, inputs);
      const gNextState = put([1e20, 1e20, 1e15, 2e15, 3e15, 1e15, 2e15, 1e15], [1, 4, 2]);
      const grads = runBackward(wkvOp, [put(wave(1e20, 7), [1, time, 2]), gNextState, ...inputs, y]);
      results.push(await Promise.all(grads.map(readFloat64)));
    }
    const [wanted, found] = results.map((grads) => [0, 2, 4, 6].map((i) => grads[4].slice(i, i + 2)));
    for (const [row, grad] of found.entries()) {
      assertNear(grad, wanted[row], 1e-4, `row ${row} after ${time} steps`);
    }
  }
});

testOnAll("wkv() subtracts the gradient of the last state's scale from that of its key", async (backend) => {
  const put = (data: number[], shape: number[]) => tensor(data, shape, backend);
  for (const time of lengths) {
    // Only the first step counts: the state is its value, whatever its key is, and the gradient of the key is 1e45
    // minus 1e45.
    const first = (x: number, others: number) => put([x, ...Array(time - 1).fill(others)], [1, time, 1]);
    const inputs = [put([-0.01], [1]), put([0], [1]), first(1, -110), first(1e25, 1)] as const;
    const state = wkvState(1, 1, backend), [y] = compute(wkvOp, [...inputs, state]);
    const gNextState = put([1e20, 0, 0, 0], [1, 4, 1]);
    const grads = runBackward(wkvOp, [first(0, 0), gNextState, ...inputs, state, y]);
    const [gKey, gValue] = [await read(grads[2]), await read(grads[3])];
    assert(gKey.every(Number.isFinite), `gradient of keys is ${gKey}`);
    assertNear(gValue.slice(0, 1), [1e20], 1e-5, `gradient of a value of ${time} steps`);
  }
});
