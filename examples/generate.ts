/**
 * Streams tokens from a model, then continues from where it stopped.
 *
 *     deno run examples/generate.ts
 */
import { createBackend, generate, presets, put, rwkv } from "@seqmix/seqmix";

using backend = await createBackend({ onDecision: (line) => console.error(line) });
// Untrained weights: the stream is noise.
const params = await put(rwkv.init(presets.seed.rwkv, 1), backend);

const options = { maxTokens: 16, temperature: 0.8, topK: 20, topP: 0.95, seed: 42 };
const first = generate(rwkv, params, [1, 2, 3], options);
let next = await first.next();
while (!next.done) {
  console.log("first answer:", next.value);
  next = await first.next();
}

// The state holds the prompt and the generated tokens, so the conversation continues without reading them again.
for await (const id of generate(rwkv, params, [4, 5], { ...options, state: next.value })) {
  console.log("second answer:", id);
}
