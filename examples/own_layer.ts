/**
 *     deno run examples/own_layer.ts
 *
 * A layer of one's own, the minGRU (Feng et al.: "Were RNNs All We Needed?", 2024). Checks that splitting a sequence
 * changes nothing, then trains two on the adding problem (Hochreiter and Schmidhuber, 1997): to sum two marked numbers.
 */
import { full, normal, randomSource, read, type Tensor, tensor, zeros } from "@seqmix/seqmix/core";
import { layerNormInit, linearInit } from "@seqmix/seqmix/layers";
import { add, concat, layerNorm, linear, matmul, meanSquaredError } from "@seqmix/seqmix/ops";
import { slice, softplus, wkv } from "@seqmix/seqmix/ops";
import { fit } from "@seqmix/seqmix/train";

const C = 32, T = 64;
const init = (inputs: number, outputs: number, seed: number) => linearInit({ inputs, outputs }, seed).weight;
const minGruInit = (seed: number) => ({ gate: init(C, C, seed), value: init(C, C, seed + 1) });

/**
 * h_t = (1 - z_t)·h_{t-1} + z_t·v_t, with z = σ(g), and g and v linear in x `[B, T, C]`. The state is h `[B, 1, C]`.
 * Without a loop, h_t is a mean: of the state, with weight 1, and of v_i with exp(g_i + Σ_{j<i} softplus(g_j)), i ≤ t.
 */
function minGru(params: ReturnType<typeof minGruInit>, x: Tensor, state: Tensor) {
  const [B, T] = x.shape, { backend } = x, gate = linear(x, params.gate), value = linear(x, params.value);
  const before = Array.from({ length: T * T }, (_, i) => i % T < Math.floor(i / T) ? 1 : 0); // j < i
  const key = add(gate, matmul(tensor(before, [T, T], backend), softplus(gate)));
  const sums = concat([state, full([B, 1, C], 1, backend), zeros([B, 2, C], backend)], 1);
  const none = zeros([C], backend), { y } = wkv({ decay: none, bonus: none }, { key, value }, sums);
  return { y, state: slice(y, 1, T - 1, T) };
}

const gru = minGruInit(1), x = normal([1, T, C], { seed: 1 }), pieces: number[] = [];
const whole = await read(minGru(gru, x, zeros([1, 1, C])).y);
for (let t = 0, steps = 1, before = zeros([1, 1, C]); t < T; t += steps++) {
  const { y, state } = minGru(gru, slice(x, 1, t, Math.min(T, t + steps)), before);
  pieces.push(...await read(y));
  before = state;
}
const difference = Math.max(...whole.map((y, i) => Math.abs(y - pieces[i])));
console.log(`whole and in pieces: a difference of at most ${difference}`);
if (!(difference < 1e-5)) throw new Error("splitting must not change the result");

const blocks = [3, 5].map((seed) => ({ norm: layerNormInit({ channels: C }), gru: minGruInit(seed) }));
const params = { input: init(2, C, 1), blocks, head: init(C, 1, 2) };
function loss({ input, blocks, head }: typeof params, { x, sum }: { x: Tensor; sum: Tensor }) {
  let y = linear(x, input);
  const state = zeros([x.shape[0], 1, C], x.backend);
  for (const { norm, gru } of blocks) y = add(y, minGru(gru, layerNorm(y, norm), state).y);
  return meanSquaredError(linear(slice(y, 1, T - 1, T), head), sum);
}

const random = randomSource(1);
const examples = Array.from({ length: 1280 }, () => {
  const a = random.integer(T / 2), b = T / 2 + random.integer(T / 2);
  const x = Array.from({ length: T }, (_, t) => [random.uniform(), t === a || t === b ? 1 : 0]);
  return { x, sum: [[x[a][0] + x[b][0]]] };
});
const task = { train: examples.slice(256), test: examples.slice(0, 256) };
for await (const { epoch, epochs, test } of fit(loss, task, { params, epochs: 12, learningRate: 1e-2 })) {
  console.log(`epoch ${epoch}: mean squared error ${test!.loss.toFixed(4)}, that of always 1 is 0.1667`);
  if (epoch === epochs && !(test!.loss < 0.01)) throw new Error("the layers must learn to add");
}
