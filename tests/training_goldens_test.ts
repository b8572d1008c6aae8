/** Loss, gradients and AdamW steps of the three models, compared with PyTorch's for the same weights and data. */
import { assertEquals } from "@std/assert";
import {
  adamW,
  type AnyLanguageModel,
  type Backend,
  clipByGlobalNorm,
  cosineDecay,
  createReference,
  crossEntropy,
  lstmModel,
  read,
  rwkv,
  squaredNorm,
  type Tensor,
  tensor,
  transformer,
  valueAndGrad,
} from "@seqmix/seqmix";
import { vjp } from "../src/autodiff/mod.ts";
import { tensorsOf } from "../src/tree.ts";
import { backends } from "./backends.ts";
import { leavesOf, loadTraining, mapNumbers, type Numbers, type TrainingGolden } from "./fixtures/load.ts";
import { assertNear } from "./helpers.ts";

/** Relative to the largest number of a tensor. */
const tolerance = 1e-4;

const subjects: readonly { readonly model: AnyLanguageModel; readonly fixture: string }[] = [
  { model: rwkv, fixture: "rwkv_training" },
  { model: transformer, fixture: "transformer_training" },
  { model: lstmModel, fixture: "lstm_model_training" },
];

/** The mean loss of a batch, where each token's target is the next one, and the state after it. */
function lossOf(model: AnyLanguageModel, params: unknown, state: unknown, batch: readonly number[][]) {
  const { logits, state: after } = model.forward(params, batch.map((row) => row.slice(0, -1)), state);
  return { loss: crossEntropy(logits, batch.map((row) => row.slice(1))), state: after };
}

/** One list for each sequence of a batch. */
function batchesOf({ shape: [steps, batch, time], data }: Numbers): number[][][] {
  const rows = (step: number, b: number) => [...data.subarray((step * batch + b) * time).subarray(0, time)];
  return Array.from({ length: steps }, (_, step) => Array.from({ length: batch }, (_, b) => rows(step, b)));
}

function onto(backend: Backend, tree: unknown): unknown {
  return mapNumbers(tree, ({ data, shape }) => tensor(data, shape, backend));
}

async function assertTreeNear(actual: unknown, expected: unknown, what: string) {
  const tensors = tensorsOf(actual), leaves = leavesOf(expected);
  assertEquals(tensors.map(({ shape }) => shape), leaves.map(([, { shape }]) => shape), `shapes of ${what}`);
  for (const [i, [path, { data }]] of leaves.entries()) {
    assertNear(await read(tensors[i]), data, tolerance, `${what} ${path.join(".")}`);
  }
}

async function assertGradients(model: AnyLanguageModel, golden: TrainingGolden, backend: Backend) {
  const [batch] = batchesOf(golden.ids);
  const variables = { params: onto(backend, golden.params), state: onto(backend, golden.state) };
  const { value, grads } = valueAndGrad(
    ({ params, state }) => lossOf(model, params, state, batch).loss,
    variables,
  );
  assertNear(await read(value), golden.loss.data, tolerance, "loss");
  await assertTreeNear(grads, golden.grads, "gradient of");
}

/** The first steps of the sequences, then the others from the state, whose gradient is passed back to the first. */
async function assertPieces(model: AnyLanguageModel, golden: TrainingGolden, backend: Backend, cut: number) {
  const [batch] = batchesOf(golden.ids);
  const early = batch.map((row) => row.slice(0, cut + 1)), late = batch.map((row) => row.slice(cut));
  const share = cut / (batch[0].length - 1);
  const params = onto(backend, golden.params), state = onto(backend, golden.state);
  const between = model.forward(params, early.map((row) => row.slice(0, -1)), state).state;
  const second = vjp(
    (from) => [lossOf(model, from.params, from.state, late).loss],
    { params, state: between },
    [tensor([1 - share], [], backend)],
  );
  const first = vjp(
    (from) => {
      const { loss, state } = lossOf(model, from.params, from.state, early);
      return [loss, ...tensorsOf(state)];
    },
    { params, state },
    [tensor([share], [], backend), ...tensorsOf(second.grads.state)],
  );
  const [ofEarly] = await read(first.values[0]), [ofLate] = await read(second.values[0]);
  assertNear([share * ofEarly + (1 - share) * ofLate], golden.loss.data, tolerance, "loss");
  await assertTreeNear(first.grads.state, golden.grads.state, "gradient of state");
  const sums = tensorsOf(second.grads.params).values();
  for (const [i, [path, { data }]] of leavesOf(golden.grads.params).entries()) {
    const other = await read(sums.next().value!);
    const sum = (await read(tensorsOf(first.grads.params)[i])).map((value, at) => value + other[at]);
    assertNear(sum, data, tolerance, `gradient of params.${path.join(".")}`);
  }
}

async function assertTraining(model: AnyLanguageModel, golden: TrainingGolden, backend: Backend) {
  const { peak, maxNorm, learningRates, losses, norms, params: trained, ...hyper } = golden.training;
  const batches = batchesOf(golden.ids);
  const rates = batches.map((_, step) => cosineDecay(step, batches.length, peak));
  assertNear(rates, learningRates.data, 1e-6, "learning rates");
  let params = onto(backend, golden.params), state = adamW.init(params);
  const values: Tensor[] = [], squares: Tensor[] = [];
  for (const [step, batch] of batches.entries()) {
    const start = model.initialState(params, batch.length);
    const { value, grads } = valueAndGrad((params) => lossOf(model, params, start, batch).loss, params);
    values.push(value);
    squares.push(squaredNorm(grads));
    const clipped = clipByGlobalNorm(grads, maxNorm);
    ({ params, state } = adamW.update(clipped, state, params, { ...hyper, learningRate: rates[step] }));
  }
  for (const step of batches.keys()) {
    assertNear(await read(values[step]), [losses.data[step]], tolerance, `loss of step ${step}`);
    assertNear(
      (await read(squares[step])).map(Math.sqrt),
      [norms.data[step]],
      tolerance,
      `norm of step ${step}`,
    );
  }
  await assertTreeNear(params, trained, "after ten steps");
}

const places = [
  { name: "the float64 reference", create: () => createReference({ precision: "float64" }) },
  ...backends,
];

for (const { name: on, create } of places) {
  for (const { model, fixture } of subjects) {
    const golden = loadTraining(fixture);
    const test = (name: string, body: (backend: Backend) => Promise<void>) =>
      Deno.test(`${name} on ${on}`, async () => {
        using backend = await create();
        await body(backend);
      });
    const gradient = `the gradient of ${model.name}.forward(), its state's too, equals PyTorch's`;
    test(gradient, (backend) => assertGradients(model, golden, backend));
    for (const cut of [1, 6, 16]) {
      test(`${gradient} when carried over after ${cut} of 17 steps`, (backend) =>
        assertPieces(model, golden, backend, cut));
    }
    test(
      `adamW.update() equals PyTorch's over ten clipped steps of ${model.name}.forward()`,
      (backend) => assertTraining(model, golden, backend),
    );
  }
}
