/**
 * Runs thousands of steps and reads hundreds of prompts with a tiny model on a GPU, then trains a two-layer network
 * for hundreds of steps, each with new numbers, and prints the number of buffers and the memory of the process after
 * each part. A process of its own, since a test can only run the garbage collector with a V8 flag, and uncollected
 * JavaScript objects would hide a leak.
 */
import {
  adamW,
  clipByGlobalNorm,
  createWebGpu,
  crossEntropy,
  layerNorm,
  linear,
  put,
  read,
  rwkv,
  squaredRelu,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { countBuffers, requestDevice } from "./gpu.ts";

declare const gc: () => void;

const device = await requestDevice();
const buffers = countBuffers(device);
const backend = await createWebGpu({ device });
const params = await put(rwkv.init({ vocabulary: 5, layers: 1, channels: 3, feedForward: 5 }, 1), backend);

/** Runs the parts of a loop, each followed by a read, and records the memory after each quarter. */
async function measure(parts: number, part: (i: number) => Tensor) {
  const created: number[] = [], megabytes: number[] = [];
  for (let i = 0; i < parts; i++) {
    const logits = part(i);
    await read(logits);
    backend.free(logits);
    if ((i + 1) % (parts / 4) !== 0) continue;
    gc();
    const { rss, heapTotal } = Deno.memoryUsage();
    created.push(buffers.created);
    megabytes.push((rss - heapTotal) / 1e6);
  }
  return { created, megabytes };
}

let state = rwkv.initialState(params);
const steps = await measure(40, () => {
  let latest: Tensor | undefined;
  for (let i = 0; i < 250; i++) {
    const { logits, state: next } = rwkv.forward(params, [[i % 5]], state);
    backend.free([latest, state]);
    state = next;
    latest = logits;
  }
  return latest!;
});

const prompts = await measure(20, (part) => {
  let latest: Tensor | undefined;
  for (let i = 0; i < 25; i++) {
    const start = rwkv.initialState(params);
    const length = 1 + (25 * part + i) * 7 % 37;
    const { logits, state } = rwkv.forward(params, [new Float32Array(length)], start);
    backend.free([latest, start, state]);
    latest = logits;
  }
  return latest!;
});

// Enough rows for sums in parts.
const rows = 300;
const x = tensor(new Float32Array(3 * rows).map((_, i) => Math.sin(i)), [1, rows, 3], backend);
const targets = tensor(new Float32Array(rows).map((_, i) => i % 4), [1, rows], backend);
let network = {
  norm: { weight: tensor([1, 1, 1], [3], backend), bias: tensor([0, 0, 0], [3], backend) },
  hidden: tensor(new Float32Array(15).map((_, i) => Math.cos(i)), [5, 3], backend),
  head: tensor(new Float32Array(20).map((_, i) => Math.cos(3 * i)), [4, 5], backend),
};
let optimizer = adamW.init(network);
const updates = await measure(20, () => {
  let latest: Tensor | undefined;
  for (let i = 0; i < 15; i++) {
    const { value, grads } = valueAndGrad(({ norm, hidden, head }) => {
      const logits = linear(squaredRelu(linear(layerNorm(x, norm), hidden)), head);
      return crossEntropy(logits, targets);
    }, network);
    const clipped = clipByGlobalNorm(grads, 1);
    const next = adamW.update(clipped, optimizer, network, { learningRate: 1e-3 });
    backend.free([latest, grads, clipped, optimizer, network]);
    ({ params: network, state: optimizer } = next);
    latest = value;
  }
  return latest!;
});

console.log(JSON.stringify({ steps, prompts, updates }));
device.destroy();
