/**
 *     deno run examples/webgpu.ts
 *
 * Reads a prompt of 4096 tokens on the GPU, all steps at once, and prints the adapter's name. Without a GPU, prints
 * the reason, and uses another backend.
 */
import { createBackend, presets, put, read, rwkv } from "@seqmix/seqmix";

// A GPU is taken first, if it is real and computes the same as the reference.
using backend = await createBackend({ onDecision: (line) => console.error(line) });
let place = backend.name;
if (backend.name === "webgpu") {
  const info = (await navigator.gpu.requestAdapter())?.info;
  place += `, ${info?.description || info?.vendor}`;
}

// Untrained weights: the time is the same as with trained ones.
const params = await put(rwkv.init(presets.article.rwkv, 1), backend);
const prompt = Array.from({ length: 4096 }, (_, i) => i * i % 64);

// The first run includes compiling the shaders.
for (const time of ["first", "second"]) {
  const start = performance.now();
  const { logits } = backend.scope(() => rwkv.forward(params, [prompt], rwkv.initialState(params)));
  const next = (await read(logits)).subarray(-64);
  const ms = performance.now() - start;
  backend.free(logits);
  console.log(
    `${prompt.length} tokens on ${place}, the ${time} time: ${ms.toFixed(1)} ms, ` +
      `then most likely token ${next.indexOf(Math.max(...next))}`,
  );
}
