/**
 *     deno run --allow-write=examples examples/train.ts examples/motif.safetensors
 *
 * Trains a small RWKV from scratch in half a minute or less, saves and loads it, and continues a sequence that it was
 * not trained on. An optional argument is the file to save it to.
 */
import {
  ceiling,
  createWasm,
  evaluate,
  evaluateNgram,
  fit,
  fitNgram,
  type FitProgress,
  generate,
  loadTree,
  motifTask,
  parameterCount,
  rwkv,
  type RwkvParams,
  saveTree,
  trainAndTest,
} from "@seqmix/seqmix";

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

// Sequences of repeating motifs, some of whose tokens differ between sequences. The test set is not trained on.
const task = motifTask({ motifs: 8, longestCycle: 3 }, 1);
const { train, test } = trainAndTest(task, { train: 512, test: 128, length: 96, seed: 1 });

using backend = await createWasm();
const config = { vocabulary: 64, layers: 2, channels: 32, feedForward: 96 };
let last: FitProgress<RwkvParams> | undefined;
const options = { config, backend, epochs: 24, learningRate: 1e-2, every: 4 };
for await (const at of fit(rwkv, { train, test }, options)) {
  showProgress(at);
  last = at;
}
const { params } = last!;

const bytes = saveTree(params, { task: "motifs" });
const [file] = Deno.args;
if (file !== undefined) await Deno.writeFile(file, bytes);
console.log(`\nsaved ${parameterCount(params)} parameters: ${bytes.length} bytes in ${file ?? "memory"}`);

const model = loadTree(bytes, backend).tree as RwkvParams;
const { accuracy } = await evaluate(rwkv, model, test);
const ngram = evaluateNgram(fitNgram(train, { order: 4, vocabulary: 64 }), test).accuracy;
console.log(
  `tokens of the test sequences predicted: ${
    percent(accuracy)
  }; an n-gram of order 4, which has no long-term memory, ` +
    `${percent(ngram)}; the best possible ${percent(ceiling(task, test).accuracy)}`,
);
if (!(accuracy > ngram + 0.05)) throw new Error("the model must be clearly better than the n-gram");

// Continues a sequence from its middle to its end.
const [sequence] = test, half = sequence.length / 2;
const going = generate(rwkv, model, sequence.subarray(0, half), { temperature: 0, maxTokens: half });
console.log("given:    ", sequence.subarray(0, half).join(" "));
console.log("goes on:  ", (await Array.fromAsync(going)).join(" "));
console.log("in truth: ", sequence.subarray(half).join(" "));

/** A progress bar on a terminal, otherwise a line for each epoch. */
function showProgress({ epoch, epochs, step, steps, trainLoss, test, secondsLeft }: FitProgress<unknown>) {
  const bar = "█".repeat(Math.round(24 * step / steps)).padEnd(24, "░");
  const line = `${bar} epoch ${epoch}/${epochs}, loss ${trainLoss.toFixed(3)}, ${
    Math.ceil(secondsLeft)
  } s left`;
  if (Deno.stdout.isTerminal()) Deno.stdout.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
  else if (test) console.log(`${line}, ${percent(test.accuracy)} of the test tokens right`);
}
