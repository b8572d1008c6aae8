/**
 *     deno run examples/classify.ts
 *
 * Recognizes gestures from the velocity of a hand. Recordings are noisy and of different lengths; the gesture in them begins
 * at any time, and is small or large, slow or fast. Compared with the most similar recording of the training set.
 */
import { createWasm, full, randomSource, read, type Tensor, tensor } from "@seqmix/seqmix/core";
import { linearInit, lstm, lstmInit, lstmState } from "@seqmix/seqmix/layers";
import { crossEntropy, linear, matmul, sample } from "@seqmix/seqmix/ops";
import { fit } from "@seqmix/seqmix/train";

const random = randomSource(1);
// Two circles, two eights, right and back, left and back: the velocity is [a sin α, b cos nα].
const gestures = [[1, 1, 1], [1, -1, 1], [1, 1, 2], [1, -1, 2], [1, 0, 1], [-1, 0, 1]];
const recordings = Array.from({ length: 4400 }, (_, i) => {
  const [before, during, after] = [0, 12, 0].map((least) => least + random.integer(30));
  const label = i % gestures.length, [a, b, n] = gestures[label], size = 0.6 + random.uniform();
  const steps = Array.from({ length: before + during + after }, (_, t) => {
    const angle = 2 * Math.PI * (t - before) / during, speed = t >= before && t <= before + during ? size : 0;
    return [a * Math.sin(angle), b * Math.cos(n * angle)].map((v) => speed * v + 0.6 * random.normal());
  });
  return { steps, label };
});
const train = recordings.slice(400), test = recordings.slice(0, 400);

const layer = lstmInit({ inputs: 2, channels: 48 }, 1), head = linearInit({ inputs: 48, outputs: 6 }, 2);
const start = { layer, head };
/** The logits of the gestures, [B, 1, 6], of steps [B, T, 2] and their weights in a mean over time, [B, 1, T]. */
function classify({ layer, head }: typeof start, steps: Tensor, weights: Tensor): Tensor {
  const { y } = lstm(layer, steps, lstmState(layer, steps.shape[0]));
  return linear(matmul(weights, y), head.weight);
}
/** Recordings padded to one length. The padding's weights are 0. */
const collate = (batch: typeof train, length: number) => ({
  steps: batch.map(({ steps }) => Array.from({ length }, (_, t) => steps[t] ?? [0, 0])),
  weights: batch.map(({ steps: { length: T } }) => [Array.from({ length }, (_, t) => t < T ? 1 / T : 0)]),
  labels: batch.map(({ label }) => [label]),
});
const lengthOf = ({ steps }: typeof train[0]) => steps.length;

using backend = await createWasm();
const reports = fit(
  (params: typeof start, batch) => crossEntropy(classify(params, batch.steps, batch.weights), batch.labels),
  { train },
  { params: start, backend, collate, lengthOf, weightOf: () => 1, epochs: 12, learningRate: 1e-2 },
);
let params = start, right = 0, rightByNearest = 0;
for await (const at of reports) ({ params } = at);
const points = recordings.map(({ steps }) =>
  Array.from({ length: 64 }, (_, i) => steps[Math.floor(i * steps.length / 64)]).flat()
);
for (const [i, { steps, label }] of test.entries()) {
  const T = steps.length, x = tensor(steps.flat(), [1, T, 2], backend);
  const logits = classify(params, x, full([1, 1, T], 1 / T, backend));
  if ((await read(sample(logits, { temperature: 0 })))[0] === label) right++;
  const distances = points.slice(400).map((p) => p.reduce((sum, v, j) => sum + (v - points[i][j]) ** 2, 0));
  if (train[distances.indexOf(Math.min(...distances))].label === label) rightByNearest++;
}
console.log(`${right / 4}% of 400 gestures recognized; by the most similar recording ${rightByNearest / 4}%`);
if (!(right > rightByNearest + 40)) throw new Error("the classifier must be clearly better");
