/**
 *     deno run --allow-read=examples examples/generate.ts
 *
 * Streams tokens from a trained model (`examples/train.ts` trained it), then goes on from where it stopped: the state holds the
 * prompt and the answer, so that a conversation reads neither of them again.
 */
import { createBackend, generate, loadTree, rwkv, type RwkvParams } from "@seqmix/seqmix";

using backend = await createBackend({ onDecision: (line) => console.error(line) });
const params = loadTree(await Deno.readFile("examples/motif.safetensors"), backend).tree as RwkvParams;

// Two motifs: the sequence repeats them, with the token 40 that is its own (in others it is 29).
const prompt = [59, 36, 44, 3, 11, 30, 40, 11, 44, 63, 37, 22, 47, 52, 12, 10];
const options = { maxTokens: 12, temperature: 0.5, topK: 20, topP: 0.95, seed: 1 };

const first = generate(rwkv, params, prompt, options);
let next = await first.next();
while (!next.done) {
  console.log("first answer:", next.value);
  next = await first.next();
}

for await (const id of generate(rwkv, params, [47, 52, 12, 10], { ...options, state: next.value })) {
  console.log("second answer:", id);
}
