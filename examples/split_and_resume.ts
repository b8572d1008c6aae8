/**
 *     deno run examples/split_and_resume.ts
 *
 * Stops in the middle of a sequence, saves RWKV's state as bytes, resumes from them, and gets the same logits as an
 * uninterrupted run.
 */
import { loadTree, presets, read, rwkv, type RwkvState, saveTree } from "@seqmix/seqmix";

const params = rwkv.init(presets.article.rwkv, 1);
const text = Array.from({ length: 100 }, (_, i) => (i * i) % 64);

const whole = rwkv.forward(params, [text], rwkv.initialState(params));
const expected = (await read(whole.logits)).slice(-64);

const { state } = rwkv.forward(params, [text.slice(0, 60)], rwkv.initialState(params));
const bytes = saveTree(state, { tokens: "60" });
console.log(`saved the state after 60 tokens: ${bytes.length} bytes`);

const { tree, metadata } = loadTree(bytes);
console.log(`resumed after ${metadata.tokens} tokens`);
const resumed = rwkv.forward(params, [text.slice(60)], tree as RwkvState);
const actual = (await read(resumed.logits)).slice(-64);

const difference = Math.max(...actual.map((logit, i) => Math.abs(logit - expected[i])));
console.log(`largest difference of the last logits: ${difference}`);
if (!(difference < 1e-5)) throw new Error("the resumed run must agree with the uninterrupted one");
