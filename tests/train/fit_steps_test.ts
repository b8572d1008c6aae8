/** Options of `fit` that concern its steps: accumulated batches, carried states, rates, evaluations. */
import { assert, assertEquals } from "@std/assert";
import {
  adamW,
  type AnyLanguageModel,
  type Backend,
  clipByGlobalNorm,
  createReference,
  createWasm,
  crossEntropy,
  evaluate,
  fit,
  type FitOptions,
  type FitTask,
  lstmModel,
  motifTask,
  put,
  read,
  rwkv,
  trainAndTest,
  transformer,
  valueAndGrad,
} from "@seqmix/seqmix";
import { assertNear, assertSame, testFailures, testOnAll } from "../helpers.ts";

const bank = motifTask({ motifs: 4, motifLength: 4, vocabulary: 11, longestCycle: 2 }, 1);
const task = trainAndTest(bank, { train: 13, test: 5, length: [9, 12], seed: 2 });

const models = [
  { model: rwkv as AnyLanguageModel, config: { vocabulary: 11, layers: 2, channels: 6, feedForward: 9 } },
  {
    model: transformer as AnyLanguageModel,
    config: { vocabulary: 11, layers: 2, channels: 8, feedForward: 9, heads: 2 },
  },
  { model: lstmModel as AnyLanguageModel, config: { vocabulary: 11, layers: 2, channels: 6 } },
];
const [{ model, config }] = models;

async function lossesOf(
  options: FitOptions<unknown, unknown>,
  trained = model,
  { train, test }: FitTask = task,
): Promise<{ losses: number[]; checkpoints: Uint8Array[] }> {
  const losses: number[] = [], checkpoints: Uint8Array[] = [];
  let last: unknown;
  for await (const at of fit(trained, { train, test }, { every: 1, ...options })) {
    losses.push(...at.losses);
    checkpoints.push(await at.checkpoint());
    last = [at.params, at.optimizer, at.state];
  }
  options.backend?.free(last);
  return { losses, checkpoints };
}

/** Computes batches one sequence at a time. */
function inParts(backend: Backend): void {
  Object.defineProperty(backend, "workAtOnce", { value: 1, configurable: true });
}

testOnAll("fit() accumulates batches to the step of a larger batch", async (backend) => {
  // Sequences of several lengths, so that batches of one size have different numbers of tokens.
  const train = task.train.map((ids, i) => Array.from(ids).slice(0, 5 + i % 4));
  const options = { config, backend, epochs: 3, learningRate: 0.02 };
  const whole = await lossesOf({ ...options, accumulate: 13 }, model, { train });
  assertEquals(whole.losses.length, 3);
  const divided = await lossesOf({ ...options, batchSize: 2, accumulate: 13 }, model, { train });
  assertNear(divided.losses, whole.losses, 1e-4);
  if (backend.name !== "webgpu") {
    const shared = await lossesOf({ ...options, batchSize: 2, accumulate: 13, workers: 2 }, model, { train });
    assertNear(shared.losses, whole.losses, 1e-4, "losses of two workers");
  }
  inParts(backend);
  const parts = await lossesOf({ ...options, batchSize: 2, accumulate: 13 }, model, { train });
  assertNear(parts.losses, whole.losses, 1e-4, "losses in parts");
  assertEquals(backend.memory().bytes, 0);
});

Deno.test("fit() with accumulated batches resumes bit for bit, with and without workers", async () => {
  using backend = await createWasm();
  for (const workers of [1, 2]) {
    const options = { config, backend, batchSize: 2, accumulate: 3, epochs: 2, workers };
    const { losses, checkpoints } = await lossesOf(options);
    assertEquals(losses.length % 2, 0);
    for (const step of [1, losses.length / 2, losses.length - 1]) {
      const rest = await lossesOf({ resume: checkpoints[step - 1], backend, workers });
      assertSame(rest.losses, losses.slice(step), `losses from step ${step} on`);
    }
  }
});

const batchSize = 3, lengths = [5, 5, 4];
/** Three rows of text, cut into windows. */
const rows = Array.from(
  { length: batchSize },
  (_, b) => Array.from({ length: 15 }, (_, t) => (b + t * t) % 11),
);
const windows: number[][] = lengths.flatMap((length, k) =>
  rows.map((row) => row.slice(5 * k, 5 * k + length + 1))
);

for (const { model, config } of models) {
  testOnAll(`fit() of ${model.name} carries states as a loop that detaches them`, async (backend) => {
    const expected: number[] = [];
    let params = await put(model.init(config, 0), backend), optimizer = adamW.init(params);
    for (let epoch = 0; epoch < 2; epoch++) {
      let state = model.initialState(params, batchSize);
      for (let k = 0; k < lengths.length; k++) {
        const own = windows.slice(k * batchSize, (k + 1) * batchSize);
        const next = backend.scope(() => {
          const { value, grads, aux } = valueAndGrad((params) => {
            const { logits, state: next } = model.forward(params, own.map((ids) => ids.slice(0, -1)), state);
            return [crossEntropy(logits, own.map((ids) => ids.slice(1))), next];
          }, params);
          const clipped = clipByGlobalNorm(grads, 1);
          return { value, aux, ...adamW.update(clipped, optimizer, params, { learningRate: 0.02 }) };
        });
        expected.push((await read(next.value))[0]);
        backend.free([params, optimizer, state, next.value]);
        ({ params, state: optimizer, aux: state } = next);
      }
      backend.free(state);
    }
    backend.free([params, optimizer]);
    const options = {
      config,
      backend,
      batchSize,
      carryState: true,
      epochs: 2,
      learningRate: 0.02,
      floor: 0.02,
    };
    const { losses, checkpoints } = await lossesOf(options, model, { train: windows });
    assertSame(losses, expected);
    for (const step of [1, 2, 3, 4]) {
      const rest = await lossesOf({ resume: checkpoints[step - 1], backend }, model, { train: windows });
      assertSame(rest.losses, losses.slice(step), `losses from step ${step} on`);
    }
    assertEquals(backend.memory().bytes, 0);
    inParts(backend);
    assertNear((await lossesOf(options, model, { train: windows })).losses, losses, 1e-4, "losses in parts");
    const accumulated = await lossesOf({ ...options, accumulate: 3, epochs: 1 }, model, { train: windows });
    const tokens = lengths.map((length) => length / 14);
    const onePass = await lossesOf({ ...options, epochs: 1, learningRate: 1e-12, floor: 0 }, model, {
      train: windows,
    });
    const mean = onePass.losses.reduce((sum, loss, k) => sum + tokens[k] * loss, 0);
    assertNear(accumulated.losses, [mean], 1e-4, "the loss of accumulated windows");
    assertEquals(backend.memory().bytes, 0);
  });
}

Deno.test("fit() with carried states has the loss of one pass over the text", async () => {
  using backend = createReference({ precision: "float64" });
  const params = await put(model.init(config, 3), backend), train = windows;
  const options = { params, backend, batchSize, carryState: true, epochs: 1, learningRate: 1e-12 };
  const { losses } = await lossesOf(options, model, { train });
  const mean = losses.reduce((sum, loss, k) => sum + lengths[k] * loss / 14, 0);
  assertNear([mean], [(await evaluate(model, params, rows)).loss], 1e-9);
});

Deno.test("fit() evaluates every given number of steps and at the end, with the caller's metrics", async () => {
  using backend = await createWasm();
  const options = { config, backend, batchSize: 4, epochs: 2, validateEvery: 3 };
  const seen: unknown[] = [];
  const metrics = (params: unknown, examples: readonly ArrayLike<number>[]) => {
    seen.push(params);
    return Promise.resolve(examples.length);
  };
  const reports = await Array.fromAsync(fit(model, task, { ...options, metrics }));
  assertEquals(reports.map(({ step }) => step), [3, 4, 6, 8]);
  assertEquals(reports.map(({ test }) => test !== null), [true, false, true, true]);
  assertEquals(reports.map(({ metrics }) => metrics), [5, null, 5, 5]);
  assertEquals(seen, [0, 2, 3].map((i) => reports[i].params));
  const plain = await Array.fromAsync(fit(model, task, { ...options, validateEvery: undefined }));
  assertSame(reports.flatMap(({ losses }) => losses), plain.flatMap(({ losses }) => losses));
  assertEquals(plain[1].test, reports[3].test);
  assertEquals(plain.map(({ metrics }) => metrics), [null, null]);
  assertEquals(reports[3].secondsLeft, 0);
});

Deno.test("fit() takes the learning rate of each step from a function", async () => {
  using backend = await createWasm();
  const options = { config, backend, batchSize: 4, epochs: 2, every: 1 };
  const steps: unknown[] = [];
  const learningRate = (step: number, all: number) => {
    steps.push([step, all]);
    return 0.01 / (step + 1);
  };
  const reports = await Array.fromAsync(fit(model, task, { ...options, learningRate }));
  assertEquals(steps, Array.from({ length: 8 }, (_, i) => [i, 8]));
  assertEquals(reports.map((at) => at.learningRate), Array.from({ length: 8 }, (_, i) => 0.01 / (i + 1)));
  const constant = await lossesOf({ ...options, learningRate: 0.01, floor: 0.01 });
  assertSame((await lossesOf({ ...options, learningRate: () => 0.01 })).losses, constant.losses);
  assert(reports[2].losses[0] !== constant.losses[2]);
});

const carry = (train: readonly number[][], own: object = {}) => () =>
  lossesOf({ config, carryState: true, batchSize, ...own }, model, { train });

testFailures("fit()", [
  [
    "windows that fill no batch",
    carry(windows.slice(1)),
    RangeError,
    "Cannot fit: with carryState, train must have a multiple of 3 (batchSize) sequences, current number is 8",
  ],
  [
    "windows of several lengths",
    carry(windows.map((ids, i) => i === 4 ? ids.slice(1) : ids)),
    TypeError,
    "Cannot fit: with carryState, all sequences of a batch must have one length, current lengths of train[3] and train[4] " +
    "are 6 and 5",
  ],
  [
    "windows that do not continue",
    carry(windows.map((ids, i) => i === 4 ? [10, ...ids.slice(1)] : ids)),
    TypeError,
    "Cannot fit: with carryState, train[4] must begin with 4, the last id of train[1], current first id is 10",
  ],
  [
    "carried states and workers",
    carry(windows, { workers: 2 }),
    RangeError,
    "Cannot fit: workers must be 1 with carryState, current value is 2",
  ],
  [
    "carryState",
    carry(windows, { carryState: 1 }),
    TypeError,
    "Cannot fit: carryState must be a boolean, current value is 1",
  ],
  [
    "a checkpoint without carried states",
    async () => {
      const { checkpoints } = await lossesOf({ config, epochs: 1 }, model, { train: windows });
      await carry(windows, { config: undefined, batchSize: undefined, resume: checkpoints[0] })();
    },
    TypeError,
    "Cannot fit: carryState must be the checkpoint's, false, current one is true",
  ],
]);
