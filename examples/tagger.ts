/**
 *     deno run --allow-read=. examples/tagger.ts
 *
 * Finds the words in text without spaces, by a tag for each letter: whether a word ends there. In "nowhere", that depends
 * on the letters that follow, so one LSTM reads to the right, and one to the left. Compared with the same model whose second
 * LSTM reads to the right, too.
 */
import { createWasm, normal, read, type Tensor, tensor } from "@seqmix/seqmix/core";
import { byteTokenizer, windows } from "@seqmix/seqmix/data";
import { linearInit, lstm, lstmInit, lstmState } from "@seqmix/seqmix/layers";
import { concat, crossEntropy, embedding, linear, reverse, sample } from "@seqmix/seqmix/ops";
import { fit } from "@seqmix/seqmix/train";

const files = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/results/README.md"];
const text = (await Promise.all(files.map((file) => Deno.readTextFile(file)))).join("\n");
const words = text.toLowerCase().match(/[a-z]+/g)!, T = 64;
const ends = words.flatMap((word) => [...word].map((_, i) => Number(i === word.length - 1)));
const letters = windows(byteTokenizer.encode(words.join("")), T, T), tags = windows(ends, T, T);
const examples = letters.map((letters, i) => ({ letters, tags: tags[i] }));
const train = examples.slice(0, -64), test = examples.slice(-64);

const start = {
  embedding: normal([256, 32], { seed: 1 }),
  first: lstmInit({ inputs: 32, channels: 64 }, 2),
  second: lstmInit({ inputs: 32, channels: 64 }, 3),
  head: linearInit({ inputs: 128, outputs: 2 }, 4),
};
/** The logits of the tags, [B, T, 2]. */
function tag(params: typeof start, letters: Tensor, turn: (x: Tensor) => Tensor): Tensor {
  const x = embedding(letters, params.embedding), state = lstmState(params.first, x.shape[0]);
  const first = lstm(params.first, x, state).y, second = turn(lstm(params.second, turn(x), state).y);
  return linear(concat([first, second], 2), params.head.weight);
}

using backend = await createWasm();
/** Trains the model and prints how well it finds words that it was not trained on; returns the F1 score of their ends. */
async function score(name: string, turn: (x: Tensor) => Tensor): Promise<number> {
  const loss = (params: typeof start, batch: { letters: Tensor; tags: Tensor }) =>
    crossEntropy(tag(params, batch.letters, turn), batch.tags);
  let params = start;
  const options = { params, backend, batchSize: 16, epochs: 10, learningRate: 1e-2 };
  for await (const at of fit(loss, { train }, options)) ({ params } = at);
  const ids = test.flatMap(({ letters }) => [...letters]), truth = test.flatMap(({ tags }) => tags);
  const logits = tag(params, tensor(ids, [test.length, T], backend), turn);
  const found = [...await read(sample(logits, { temperature: 0 }))];
  const count = (tags: number[]) => tags.filter((tag) => tag === 1).length;
  const f1 = 2 * count(found.map((tag, i) => tag * truth[i])) / (count(found) + count(truth));
  const spaced = ids.map((id, i) => byteTokenizer.decode([id]) + (found[i] ? " " : "")).join("");
  console.log(`${name}: F1 ${(100 * f1).toFixed(1)}%: ${spaced.slice(0, 120)}`);
  return f1;
}
const both = await score("in both directions", (x) => reverse(x, 1));
const one = await score("in one direction", (x) => x);
if (!(both > one + 0.05)) throw new Error("the model must be clearly better in both directions");
