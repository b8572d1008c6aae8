/**
 *     deno run examples/webgpu.ts
 *
 * Reads a prompt of 4096 tokens on the GPU, all its steps at once, and says on which; without one, says why and on what
 * instead.
 */
import { createBackend, presets, put, read, rwkv } from "@seqmix/seqmix";

// A GPU comes first, if it is a real one that computes what the reference does.
using backend = await createBackend({ onDecision: (line) => console.error(line) });
let place = backend.name;
if (backend.name === "webgpu") {
  const info = (await navigator.gpu.requestAdapter())?.info;
  place += `, ${info?.description || info?.vendor}`;
}

// Untrained weights: the time is the same.
const params = await put(rwkv.init(presets.article.rwkv, 1), backend);
const prompt = Array.from({ length: 4096 }, (_, i) => i * i % 64);

// The first time includes the compiling of the shaders.
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
