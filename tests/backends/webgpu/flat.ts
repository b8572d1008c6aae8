/**
 * Takes thousands of steps and reads a thousand prompts with a tiny model on a GPU, and prints how many buffers there are
 * and how large the process is after each part. A process of its own, since a test can ask for a collection only with a
 * flag of V8, and what JavaScript has not collected yet would hide a leak.
 */
import { createWebGpu, put, read, rwkv, type Tensor } from "@seqmix/seqmix";
import { countBuffers, requestDevice } from "./gpu.ts";

declare const gc: () => void;

const device = await requestDevice();
const buffers = countBuffers(device);
const backend = await createWebGpu({ device });
const params = await put(rwkv.init({ vocabulary: 5, layers: 1, channels: 3, feedForward: 5 }, 1), backend);

/** Runs parts of a loop, a read after each, and notes what is held after each quarter. */
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
  for (let i = 0; i < 50; i++) {
    const start = rwkv.initialState(params);
    const length = 1 + (50 * part + i) * 7 % 37;
    const { logits, state } = rwkv.forward(params, [new Float32Array(length)], start);
    backend.free([latest, start, state]);
    latest = logits;
  }
  return latest!;
});

console.log(JSON.stringify({ steps, prompts }));
device.destroy();
