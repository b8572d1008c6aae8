/**
 *     deno run --allow-read examples/text.ts
 *
 * A model of the bytes of the files that are given as arguments, by default this repository's documents. Prints how many bits it
 * needs per byte of the last tenth of each file, on which it is not trained, how many gzip needs, and a text of the model's.
 */
import {
  byteTokenizer,
  createWasm,
  evaluate,
  fit,
  generate,
  rwkv,
  type RwkvParams,
  windows,
} from "@seqmix/seqmix";

const documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/results/README.md"];
const files = await Promise.all((Deno.args.length > 0 ? Deno.args : documents).map((f) => Deno.readFile(f)));
const cut = (bytes: Uint8Array) => Math.floor(0.9 * bytes.length);
const train = await new Blob(files.map((bytes) => bytes.subarray(0, cut(bytes)))).bytes();
const test = await new Blob(files.map((bytes) => bytes.subarray(cut(bytes)))).bytes();

using backend = await createWasm();
const config = { vocabulary: byteTokenizer.vocabulary, layers: 1, channels: 96, feedForward: 384 };
const options = { config, backend, epochs: 5, batchSize: 4, learningRate: 1e-2 };
let params: RwkvParams;
for await (const at of fit(rwkv, { train: windows(train, 65) }, options)) {
  console.log(
    `epoch ${at.epoch}: ${(at.trainLoss / Math.LN2).toFixed(3)} bits per byte of the training text`,
  );
  ({ params } = at);
}
const { bitsPerToken } = await evaluate(rwkv, params!, [test]);

/** The number of bytes of a file compressed by gzip. */
async function gzip(...texts: Uint8Array<ArrayBuffer>[]): Promise<number> {
  const stream = new Blob(texts).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).bytes()).length;
}
// By how much the file grows if the test text follows the training text, of which gzip uses only the last 32 KB. Neither
// the model's parameters nor the training text are counted.
const bitsOfGzip = 8 * (await gzip(train, test) - await gzip(train)) / test.length;
console.log(
  `trained on ${train.length} bytes; bits per byte of ${test.length} others: the model ` +
    `${bitsPerToken.toFixed(3)}, gzip after the training text ${bitsOfGzip.toFixed(3)}. ` +
    `The ${bitsPerToken < bitsOfGzip ? "model" : "gzip"} is better.`,
);

const stream = byteTokenizer.stream(), prompt = "The model ";
let written = prompt;
const ids = generate(rwkv, params!, byteTokenizer.encode(prompt), { maxTokens: 250, temperature: 0.6 });
for await (const id of ids) written += stream.push(id);
console.log(written + stream.end());
