/** Numbers at the edges of single precision, one by one; `extremes_test.ts` draws any. */
import { assert, assertEquals } from "@std/assert";
import {
  attention,
  type Backend,
  crossEntropy,
  gelu,
  layerNorm,
  linear,
  lstmRecurrence,
  mix,
  negativeExp,
  put,
  read,
  rwkv,
  tensor,
  timeMix,
  timeMixState,
  treeMap,
  valueAndGrad,
  wkv,
  wkvState,
} from "@seqmix/seqmix";
import { compute } from "../../src/compute.ts";
import { geluOp, negativeExpOp } from "../../src/ops/elementwise/mod.ts";
import { layerNormOp } from "../../src/ops/layer_norm/mod.ts";
import { wkvOp } from "../../src/ops/wkv/mod.ts";
import { assertNear, assertSame, runBackward, testOnAll } from "../helpers.ts";
import { moved } from "../mixers.ts";

testOnAll("crossEntropy() of equal logits is ln V, however large they are", async (backend) => {
  for (const logit of [1e-30, 1e8, -1e16, 1e16, 1e20, 1e30]) {
    const logits = tensor([logit, logit, logit], [1, 1, 3], backend);
    assertNear(await read(crossEntropy(logits, [[1]])), [Math.log(3)], 1e-6, `loss at ${logit}`);
  }
});

testOnAll("crossEntropy() keeps a loss far below 1, as its gradient", async (backend) => {
  const logits = tensor([50, 0, 9, 5, 45, 5], [1, 2, 3], backend);
  const loss = (2 * Math.exp(-40) + Math.exp(-41) + Math.exp(-50)) / 2;
  assertNear(await read(crossEntropy(logits, [[0, 1]])), [loss], 1e-5);
});

testOnAll("crossEntropy() weighs losses of 1e30 with weights of 1e30", async (backend) => {
  const logits = tensor([1e30, -1e30, 2e30, 0], [1, 2, 2], backend);
  assertNear(await read(crossEntropy(logits, [[1, 1]], [[1e30, 3e30]])), [2e30], 1e-6);
});

testOnAll("crossEntropy() takes any id where the weight is 0", async (backend) => {
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
  // Not known on the host, as an id in a tensor.
  const weights = tensor([1, 1, 0], [1, 3], backend);
  assertSame(await read(crossEntropy(logits, [[1, -100, 0]], weights)), [NaN]);
});

/** [1, 2, 3, 5] normalized. */
const normalized = [-7, -3, 1, 9].map((x) => x / Math.sqrt(35));

testOnAll("layerNorm() of a large row is that of a small one", async (backend) => {
  const params = { weight: tensor([1, 1, 1, 1], [4], backend), bias: tensor([0, 0, 0, 0], [4], backend) };
  for (const scale of [1e3, 1e15, 1e19, 1e25, 1e30, -1e30, 6e37]) {
    const x = tensor([1, 2, 3, 5].map((x) => scale * x), [4], backend);
    const wanted = normalized.map((y) => Math.sign(scale) * y);
    assertNear(await read(layerNorm(params, x)), wanted, 1e-5, `times ${scale}`);
  }
  const equal = tensor([1e30, 1e30, 1e30, 1e30], [4], backend);
  assertSame(await read(layerNorm(params, equal)), [0, 0, 0, 0], "equal numbers");
});

testOnAll("layerNorm() of a small row is what ε leaves of it", async (backend) => {
  const params = { weight: tensor([1, 1, 1, 1], [4], backend), bias: tensor([0, 0, 0, 0], [4], backend) };
  for (const scale of [1e-10, 1e-20, 1e-30]) {
    const x = tensor([1, 2, 3, 5].map((x) => scale * x), [4], backend);
    const wanted = [-7, -3, 1, 9].map((y) => scale * y / 4 / Math.sqrt(1e-5));
    assertNear(await read(layerNorm(params, x)), wanted, 1e-5, `times ${scale}`);
    const bare = compute(layerNormOp, [x, params.weight, params.bias], [0])[0];
    assertNear(await read(bare), normalized, 1e-5, `times ${scale} without ε`);
  }
});

testOnAll("layerNorm() has the gradient of its equation at any magnitude", async (backend) => {
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

testOnAll("gelu() at infinity is its limit, as its gradient", async (backend) => {
  const x = tensor([Infinity, -Infinity, 3e38, -3e38, NaN], [5], backend);
  const y = await read(gelu(x));
  assertEquals([...y].map((value) => value + 0), [Infinity, 0, Math.fround(3e38), 0, NaN]);
  const gx = await read(runBackward(geluOp, [tensor([2, 3, -2, 3, 1], [5], backend), x])[0]);
  assertEquals([...gx].map((value) => value + 0), [2, 0, -2, 0, NaN]);
});

testOnAll("negativeExp() has a gradient where it is infinite itself", async (backend) => {
  const x = tensor([89, 100, 100, -200], [4], backend);
  assertSame(await read(negativeExp(x)), [-Infinity, -Infinity, -Infinity, -0]);
  const gx = await read(runBackward(negativeExpOp, [tensor([1e-20, 0, 1, 1], [4], backend), x])[0]);
  assertNear(gx.slice(0, 2), [-1e-20 * Math.exp(89), 0], 1e-5);
  assertEquals([gx[2], gx[3] + 0], [-Infinity, 0]);
});

testOnAll(
  "wkv() with a decay of -Infinity weighs the step before with this one, and no earlier",
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

/** A long sequence goes in chunks on a GPU. */
const lengths = [3, 300];

testOnAll("wkv() counts bonus and decay beside keys of 1e30, forward and back", async (backend) => {
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

testOnAll("timeMix() and its gradient bear a time_decay of 100", async (backend) => {
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

testOnAll("attention() with scores past single precision weighs the largest", async (backend) => {
  for (const queries of [1, 2, 5, 17]) {
    const row = (x: number[], times: number) => Array.from({ length: times }, () => x).flat();
    const put = (data: number[], time: number) => tensor(data, [1, time, 2], backend);
    const query = put(row([1e30, 1e30], queries), queries);
    const value = put([...row([1, 2], 3), ...row([7, 8], queries), 5, 6], queries + 4);
    // The last key has the largest score of all, or that of the others, or one that is infinite below.
    for (const [last, wanted] of [[2e30, [5, 6]], [-1e30, undefined], [1e30, undefined]] as const) {
      const key = put([...row([1e30, 1e30], queries + 3), last, last], queries + 4);
      const y = await read(attention(query, key, value, 1));
      const plain = [0, 1].map((c) => {
        const seen = [3 * [1, 2][c], queries * [7, 8][c], last > 0 ? [5, 6][c] : 0];
        return seen.reduce((sum, x) => sum + x) / (3 + queries + (last > 0 ? 1 : 0));
      });
      assertNear(y.slice(-2), wanted ?? plain, 1e-5, `${queries} queries, ${last}`);
    }
    // Below single precision all of them.
    const low = put(row([-1e30, -1e30], queries + 4), queries + 4);
    const y = await read(attention(query, low, value, 1));
    const sum = [0, 1].map((c) => (3 * [1, 2][c] + queries * [7, 8][c] + [5, 6][c]) / (queries + 4));
    assertNear(y.slice(-2), sum, 1e-5, `${queries} queries, all below`);
  }
});

testOnAll(
  "lstmRecurrence() opens and closes its gates by sums of which parts are infinite",
  async (backend) => {
    for (const [batch, time] of [[1, 1], [2, 17], [3, 1]]) {
      const put = (data: Float32Array | number[], shape: number[]) => tensor(data, shape, backend);
      // Infinity less infinity in every gate, though one is half of the other: all are open.
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

testOnAll("mix() of products past single precision is infinite of the right sign", async (backend) => {
  const y = mix(
    tensor([3e30, -1e30, 1e30], [1, 3], backend),
    tensor([1e30, 1e30, 3e30], [1, 3], backend),
    tensor([1e20, 1e20, 1e20], [3], backend),
  );
  assertSame(await read(y), [Infinity, -Infinity, -Infinity]);
});

async function product(backend: Backend, rows: number, outputs: number): Promise<Float32Array> {
  // [1e25, 1e25, -1e25]·[1e20, -1e20, 1] but for the last: partial sums of 1e45, a sum of -1e25.
  const x = tensor(Array.from({ length: rows }, () => [1e25, 1e25, -1e25]).flat(), [rows, 3], backend);
  const weight = tensor(
    Array.from({ length: outputs }, () => [1e20, -1e20, 1]).flat(),
    [outputs, 3],
    backend,
  );
  // A matrix that one row meets often may stand in another order.
  for (let i = 0; i < 60; i++) backend.free(linear(x, weight));
  return await read(linear(x, weight));
}

testOnAll("linear() of sums whose parts are infinite is their sum, but for a GPU", async (backend) => {
  if (backend.name === "webgpu") return;
  for (const [rows, outputs] of [[1, 1], [1, 23], [2, 5], [3, 9], [33, 13]]) {
    assertNear(
      await product(backend, rows, outputs),
      Array(rows * outputs).fill(-1e25),
      1e-6,
      `${rows}×${outputs}`,
    );
  }
});
