import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type AnyLanguageModel,
  type Backend,
  createReference,
  createWasm,
  embedding,
  evaluate,
  fit,
  type FitOptions,
  type FitProgress,
  lstmModel,
  motifTask,
  multiply,
  parameterCount,
  put,
  read,
  rwkv,
  type Tensor,
  tensor,
  trainAndTest,
  transformer,
} from "@seqmix/seqmix";
import { reference } from "../../src/backends/reference/mod.ts";
import { batchOf, tokensOf } from "../../src/models/batches.ts";
import { partGradient, raveledGradient } from "../../src/train/batch_gradient.ts";
import { batchOrder } from "../../src/train/batches.ts";
import { languageLoss } from "../../src/train/language_objective.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";
import { moved } from "../mixers.ts";

const bank = motifTask({ motifs: 4, motifLength: 4, vocabulary: 11, longestCycle: 2 }, 1);
const task = trainAndTest(bank, { train: 21, test: 5, length: [9, 12], seed: 2 });

const models = [
  { model: rwkv as AnyLanguageModel, config: { vocabulary: 11, layers: 2, channels: 6, feedForward: 9 } },
  {
    model: transformer as AnyLanguageModel,
    config: { vocabulary: 11, layers: 2, channels: 8, feedForward: 9, heads: 2 },
  },
  { model: lstmModel as AnyLanguageModel, config: { vocabulary: 11, layers: 2, channels: 6 } },
];
const [{ config }] = models;

type Options = FitOptions<unknown, unknown>;
type Progress = FitProgress<unknown>;

/** The options of `reports`, except those that a checkpoint contains. */
const again = { batchSize: undefined, learningRate: undefined };

async function reports(model: AnyLanguageModel, options: Options): Promise<Progress[]> {
  return await Array.fromAsync(fit(model, task, { epochs: 3, batchSize: 4, learningRate: 0.02, ...options }));
}

for (const { model, config } of models) {
  testOnAll(`fit() of ${model.name} decreases the loss`, async (backend) => {
    const all = await reports(model, { config, backend, epochs: 8 });
    const [first] = all, last = all[all.length - 1];
    assertEquals(all.map(({ epoch }) => epoch), all.map((_, i) => i + 1));
    assertEquals([last.step, last.epochs], [last.steps, 8]);
    assert(last.trainLoss < 0.9 * first.trainLoss, `from ${first.trainLoss} to ${last.trainLoss}`);
    assert(last.test!.loss < first.test!.loss);
    const { loss, accuracy } = await evaluate(model, last.params, task.test);
    assertEquals([loss, accuracy], [last.test!.loss, last.test!.accuracy]);
  });

  testOnAll(
    `fit() of ${model.name} resumes from any checkpoint with the same losses, bit for bit`,
    async (backend) => {
      const losses: number[] = [], checkpoints: Uint8Array[] = [];
      const options = { config, batchSize: 4, epochs: 2, learningRate: 0.02, backend, every: 1, warmup: 3 };
      for await (const at of fit(model, { train: task.train }, options)) {
        losses.push(...at.losses);
        checkpoints.push(await at.checkpoint());
      }
      assertEquals(losses.length, checkpoints.length);
      for (const step of [1, 5, 7, checkpoints.length - 1]) {
        const rest: number[] = [];
        const resumed = { resume: checkpoints[step - 1], backend, every: 2 };
        for await (const at of fit(model, { train: task.train }, resumed)) rest.push(...at.losses);
        assertSame(rest, losses.slice(step), `losses from step ${step} on`);
      }
    },
  );
}

testOnAll("fit() allocates nothing more once all forms of batches have occurred", async (backend) => {
  const held: number[] = [], peaks: number[] = [];
  let before: unknown;
  for await (
    const at of fit(rwkv as AnyLanguageModel, task, { config, backend, batchSize: 4, epochs: 3, every: 1 })
  ) {
    // Reports at the end of an epoch follow an evaluation, whose batches have another length, and are left out.
    if (at.test === null) held.push(backend.memory().bytes);
    peaks.push(backend.memory().peakBytes);
    before = at;
  }
  // Every form of batch is compiled when it first occurs: each length, and the smaller last batch.
  const settled = held.slice(held.length >> 1);
  assertEquals(new Set(settled).size, 1, `bytes held: ${held}`);
  assertEquals(peaks.at(-1), peaks[peaks.length >> 1], `most bytes: ${peaks}`);
  backend.free(before);
});

// Both for padded batches and for others.
const uneven = Array.from(
  { length: 24 },
  (_, i) => Array.from({ length: 9 + 5 * i % 12 }, (_, t) => (7 * i + t * t) % 11),
);

for (const { model, config } of models) {
  testOnAll(`fit() of ${model.name} with padding has the losses of the single sequences`, async (backend) => {
    const params = await put(model.init(config, 1), backend);
    const batches = batchOrder(uneven.map(({ length }) => length), 5, 0, 0);
    const losses: number[] = [],
      options = { params, backend, batchSize: 5, epochs: 1, learningRate: 1e-9, every: 1 };
    let tokens = 0, trainLoss = 0;
    for await (const at of fit(model, { train: uneven }, options)) {
      losses.push(...at.losses);
      ({ trainLoss } = at);
    }
    assertEquals(losses.length, batches.length);
    let total = 0, padded = 0;
    for (const [step, { indices, length }] of batches.entries()) {
      let sum = 0, count = 0;
      for (const row of indices.map((i) => uneven[i])) {
        sum += (await evaluate(model, params, [row])).loss * (row.length - 1);
        count += row.length - 1;
        if (row.length < length) padded++;
      }
      assertNear([losses[step]], [sum / count], 1e-5);
      total += sum;
      tokens += count;
    }
    assertNear([trainLoss], [total / tokens], 1e-5);
    assert(padded > 3, `${padded} padded`);
    const { loss } = await evaluate(model, params, uneven);
    assertNear([loss], [total / tokens], 1e-5);
    backend.free(params);
  });

  testOnAll(`the gradient of ${model.name} is the same with padding and without`, async (backend) => {
    const params = await put(moved(model.init(config, 1), 5), backend);
    const numbers = () => new Float32Array(parameterCount(params));
    using gradient = partGradient(languageLoss(model));
    const rows = uneven.slice(0, 5), indices = [0, 1, 2, 3, 4];
    const batch = batchOf(rows, { indices, length: 20 }), tokens = tokensOf(batch);
    const expected = numbers();
    let loss = 0;
    for (const i of indices) {
      const alone = batchOf(rows, { indices: [i], length: rows[i].length }), share = tokensOf(alone) / tokens;
      const found = await raveledGradient(gradient, params, { ...alone, share }, backend, numbers());
      found.grads.forEach((x, j) => expected[j] += x);
      loss += found.loss;
    }
    for (const workAtOnce of [Infinity, 1]) {
      Object.defineProperty(backend, "workAtOnce", { value: workAtOnce, configurable: true });
      const found = await raveledGradient(gradient, params, { ...batch, share: 1 }, backend, numbers());
      assertNear(found.grads, expected, 1e-5, "gradient");
      assertNear([found.loss], [loss], 1e-5, "loss");
    }
    backend.free(params);
  });
}

Deno.test("fit() fills its batches if there are many lengths, and records few forms", async () => {
  const train = Array.from(
    { length: 495 },
    (_, i) => Array.from({ length: 2 + i * 37 % 328 }, (_, t) => (i + t) % 11),
  );
  let steps = 0;
  const options = { config: models[2].config, batchSize: 32, epochs: 1, every: 1, learningRate: 0.01 };
  for await (const at of fit(models[2].model, { train }, options)) {
    ({ steps } = at);
    if (at.step === 3) break;
  }
  assert(steps <= 20, `${steps} steps`);
});

Deno.test("fit() trains on WebAssembly by default, and leaves the backend to the caller", async () => {
  const given = await createWasm();
  const all = await reports(rwkv as AnyLanguageModel, { config }),
    { backend, params, optimizer } = all.at(-1)!;
  const same = await reports(rwkv as AnyLanguageModel, { config, backend: given });
  assertEquals(all.map(({ losses }) => losses), same.map(({ losses }) => losses));
  assertEquals([backend.name, same[0].backend], ["wasm", given]);
  for (const t of tensorsOf([params, optimizer])) assertEquals(t.backend, backend);
  assert((await read((params as { head: Tensor }).head)).every(Number.isFinite));
  backend.free([params, optimizer]);
  assertEquals(backend.memory().bytes, 0);
  backend[Symbol.dispose]();
  given[Symbol.dispose]();

  // Parameters from elsewhere are copied, and stay alive.
  const start = rwkv.init(config as never, 1), [head] = [await read(start.head)];
  for await (const at of fit(rwkv as AnyLanguageModel, task, { params: start })) {
    assertEquals(at.backend.name, "wasm");
    at.backend[Symbol.dispose]();
    break;
  }
  assertSame(await read(start.head), head);
});

Deno.test("fit() trains on a reference backend if WebAssembly is not available, and reports it", async () => {
  const { validate } = WebAssembly;
  try {
    WebAssembly.validate = () => false;
    const [{ backend, losses }] = await reports(rwkv as AnyLanguageModel, { config });
    assertEquals(backend.name, "reference");
    assert(backend !== reference);
    const [expected] = await reports(rwkv as AnyLanguageModel, { config, backend: reference });
    assertEquals(losses, expected.losses);
  } finally {
    WebAssembly.validate = validate;
  }
});

Deno.test("fit() disposes of its own backend if it was never reported", async () => {
  let own: Backend | undefined;
  const failing = {
    ...rwkv,
    initialState(params: { embedding: { inner: Tensor } }) {
      own = params.embedding.inner.backend;
      throw new Error("no");
    },
  } as unknown as AnyLanguageModel;
  await assertRejects(() => reports(failing, { config }), Error, "no");
  assertEquals(own!.name, "wasm");
  assertThrows(() => tensor([1], [1], own), TypeError, "disposed");
});

testOnAll(
  "fit() resumed with more epochs equals a run with them from the start, at a constant rate",
  async (backend) => {
    const options = { config, backend, floor: 0.02 };
    const four = await reports(rwkv as AnyLanguageModel, { ...options, epochs: 4 });
    const two = await reports(rwkv as AnyLanguageModel, { ...options, epochs: 2 });
    const resume = await two.at(-1)!.checkpoint();
    const rest = await reports(rwkv as AnyLanguageModel, { ...again, resume, backend, epochs: 4 });
    assertEquals([...two, ...rest].map(({ losses }) => losses), four.map(({ losses }) => losses));
    assertEquals(rest.map(({ epoch, epochs, learningRate }) => [epoch, epochs, learningRate]), [
      [3, 4, 0.02],
      [4, 4, 0.02],
    ]);
    assertEquals([rest[0].step, rest[0].steps], [four[2].step, four[2].steps]);
    // Without more epochs it has ended, as it has where the run was extended before.
    assertEquals(await reports(rwkv as AnyLanguageModel, { ...again, resume, backend, epochs: 2 }), []);
    const longer = await rest[1].checkpoint();
    assertEquals(
      await reports(rwkv as AnyLanguageModel, { ...again, resume: longer, backend, epochs: undefined }),
      [],
    );
    backend.free([four, two, rest].map((all) => [all.at(-1)!.params, all.at(-1)!.optimizer]));
  },
);

Deno.test("fit() resumed with more epochs has the rates of a run with them from the start", async () => {
  const rates = async (options: Options) => {
    const all = await reports(rwkv as AnyLanguageModel, { every: 1, ...options });
    return { rates: all.map(({ learningRate }) => learningRate), last: all.at(-1)! };
  };
  const options = { config, warmup: 4, floor: 0.001 };
  const four = await rates({ ...options, epochs: 4 }), two = await rates({ ...options, epochs: 2 });
  const resume = await two.last.checkpoint();
  const rest = await rates({ ...again, resume, epochs: 4 });
  assertEquals(rest.rates, four.rates.slice(two.rates.length));
  assert(rest.rates[0] > two.rates.at(-1)!);
  assertEquals(rest.rates, rest.rates.toSorted((a, b) => b - a));
});

Deno.test("fit() leaves the trained parameters and the optimiser's state to the caller", async () => {
  using backend = createReference();
  const all = await reports(rwkv as AnyLanguageModel, { config, backend });
  const { params, optimizer } = all[all.length - 1];
  for (const t of tensorsOf(params)) assertEquals(t.backend, backend);
  assertEquals(optimizer.step, all[all.length - 1].step);
  backend.free([params, optimizer]);
  assertEquals(backend.memory().bytes, 0);
});

Deno.test("fit() frees the parameters of a report at the next one, but never the given ones", async () => {
  using backend = createReference();
  const start = rwkv.init(config as never, 1);
  await reports(rwkv as AnyLanguageModel, { params: start, epochs: 1 });
  assertSame(await read(start.head), await read(rwkv.init(config as never, 1).head));
  const all = await reports(rwkv as AnyLanguageModel, { config, backend, epochs: 2 });
  await assertRejects(() => all[0].checkpoint(), TypeError, "was freed");
});

Deno.test("fit() is reproducible, and different for another seed", async () => {
  const losses = async (seed: number) =>
    (await reports(rwkv as AnyLanguageModel, { config, seed, epochs: 2 })).flatMap(({ losses }) => losses);
  const [one, again, other] = [await losses(1), await losses(1), await losses(2)];
  assertSame(again, one);
  assert(other.some((loss, i) => loss !== one[i]));
});

Deno.test("fit() reports every given number of steps, and at the end of each epoch", async () => {
  const all = await reports(rwkv as AnyLanguageModel, { config, every: 4 });
  const perEpoch = all[0].steps / 3;
  assertEquals(perEpoch, 6);
  assertEquals(all.map(({ step }) => step), [4, 6, 10, 12, 16, 18]);
  assertEquals(all.map(({ losses }) => losses.length), [4, 2, 4, 2, 4, 2]);
  assertEquals(all.map(({ test }) => test !== null), [false, true, false, true, false, true]);
  assertEquals(all.at(-1)!.secondsLeft, 0);
  assert(all.every(({ tokensPerSecond }) => tokensPerSecond > 0));
  const whole = await reports(rwkv as AnyLanguageModel, { config });
  assertNear(whole.map(({ trainLoss }) => trainLoss), [1, 3, 5].map((i) => all[i].trainLoss), 1e-12);
});

Deno.test("fit() accepts a learning rate for each leaf", async () => {
  const hyper = { rateFactor: ({ path }: { path: string }) => path === "head" ? 1 : 0, weightDecay: 0 };
  const [{ params }] = await reports(rwkv as AnyLanguageModel, { config, hyper, epochs: 1 });
  const start = rwkv.init(config as never, 0), after = params as typeof start;
  assertSame(await read(after.embedding), await read(start.embedding));
  const head = await read(start.head);
  assert((await read(after.head)).every((value, i) => value !== head[i]));
});

for (const options of [{}, { workers: 2 }, { workers: 2, batchSize: 1 }]) {
  Deno.test(`fit() of ${JSON.stringify(options)} throws a signal's reason, lets timers fire, and leaves nothing allocated`, async () => {
    using backend = createReference();
    const signal = AbortSignal.timeout(1200);
    const all = { config, backend, signal, epochs: 3000, learningRate: 0.02, batchSize: 4, ...options };
    let last: Progress | undefined, ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const error = await assertRejects(async () => {
      for await (last of fit(rwkv as AnyLanguageModel, task, all));
    });
    clearInterval(timer);
    assert(ticks > 1);
    assertEquals((error as Error).name, "TimeoutError");
    // The caller owns those of the last report.
    backend.free([last?.params, last?.optimizer]);
    assertEquals(backend.memory().bytes, 0);
  });
}

for (const bad of [NaN, Infinity]) {
  testOnAll(`fit() stops at a loss of ${bad}, and leaves its last report to the caller`, async (backend) => {
    const train = task.train.map((sequence) => Array.from(sequence, (id) => id % 10).slice(0, 8));
    // The loss of the sixth step: its sequence alone has the last id.
    train[batchOrder(train.map(({ length }) => length), 1, 0, 0)[5].indices[0]][3] = 10;
    const model = {
      ...rwkv,
      forward(...[params, tokens, state]: Parameters<typeof rwkv.forward>) {
        const { logits, state: next } = rwkv.forward(params, tokens, state);
        const factors = tensor(
          new Float32Array(11 * 11).fill(1).fill(bad, 10 * 11),
          [11, 11],
          logits.backend,
        );
        return { logits: multiply(logits, embedding(tokens, factors)), state: next };
      },
    } as unknown as AnyLanguageModel;
    const lengths = { train };
    let last: Progress | undefined;
    const error = await assertRejects(async () => {
      for await (last of fit(model, lengths, { config, backend, batchSize: 1, every: 2, epochs: 3 }));
    }, RangeError);
    // Times an infinity a logit of 0 is NaN.
    assert(
      /^Cannot fit: losses must be finite \(a lower learningRate may help\), current loss of step 6 is (NaN|Infinity)$/
        .test(error.message),
      error.message,
    );
    assertEquals(last!.step, 4);
    for (const t of tensorsOf(last!.params)) assert((await read(t)).every(Number.isFinite));
    assert((await last!.checkpoint()).length > 0);
    backend.free([last!.params, last!.optimizer]);
    assertEquals(backend.memory().bytes, 0);
  });
}

Deno.test("fit() gives the same bits whatever the clock does, and in parts what the whole gives", async () => {
  using backend = createReference({ precision: "float64" });
  const once = async (workAtOnce: number) => {
    Object.defineProperty(backend, "workAtOnce", { value: workAtOnce, configurable: true });
    const losses: number[] = [];
    for await (const at of fit(rwkv as AnyLanguageModel, task, { config, backend, epochs: 2 })) {
      losses.push(...at.losses);
    }
    return losses;
  };
  const whole = await once(Infinity), parts = await once(1);
  assertNear(parts, whole, 1e-11);
  assertSame(await once(1), parts);
});

Deno.test("fit() lets the process handle requests meanwhile", async () => {
  await using server = Deno.serve({ port: 0, onListen() {} }, () => new Response("answered"));
  let answer = "";
  const asked = fetch(`http://localhost:${server.addr.port}`).then(async (response) => {
    answer = await response.text();
  });
  // On a busy machine it may take seconds.
  const end = performance.now() + 30_000;
  for await (const _ of fit(rwkv as AnyLanguageModel, task, { config, epochs: 1e6 })) {
    if (answer !== "" || performance.now() > end) break;
  }
  // What remains after the training does not count.
  const meanwhile = answer;
  await asked;
  assertEquals(meanwhile, "answered");
});

Deno.test("fit() frees its run if its workers do not start, but no given parameters", async () => {
  using backend = createReference();
  const params = await put(rwkv.init(config as never, 1), backend);
  const { bytes } = backend.memory();
  const model = { ...rwkv } as AnyLanguageModel;
  await assertRejects(
    () => reports(model, { params, backend, workers: 2 }),
    TypeError,
    "must come with the module",
  );
  assertEquals(backend.memory().bytes, bytes);
  await assertRejects(
    () => reports(model, { config, backend, workers: 2 }),
    TypeError,
    "must come with the module",
  );
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("fit() frees its run if there is no memory for the optimiser's state, but no given parameters", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 20 });
  const config = { vocabulary: 11, layers: 1, channels: 128, feedForward: 128 };
  const noRoom = (options: Options) =>
    assertRejects(
      () => reports(rwkv as AnyLanguageModel, { ...options, backend }),
      RangeError,
      "must have room",
    );
  await noRoom({ config });
  assertEquals(backend.memory().bytes, 0);
  const params = await put(rwkv.init(config, 1), backend);
  const { bytes } = backend.memory();
  await noRoom({ params });
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("fit() frees initial values once its backend has a copy", async () => {
  using backend = createReference();
  const { bytes } = reference.memory();
  for await (const _ of fit(rwkv as AnyLanguageModel, task, { config, backend })) break;
  // Tensors that other tests left there may have been collected meanwhile.
  assert(reference.memory().bytes <= bytes);
});

Deno.test("fit() has losses in double precision on a float64 backend, with and without workers", async () => {
  using backend = createReference({ precision: "float64" });
  for (const workers of [1, 2]) {
    const [{ losses }] = await reports(rwkv as AnyLanguageModel, { config, backend, workers, epochs: 1 });
    assert(losses.some((loss) => loss !== Math.fround(loss)));
  }
});

const run = (task: unknown, options: unknown) => async () => {
  await Array.fromAsync(fit(rwkv as AnyLanguageModel, task as never, options as never));
};

/** A training's checkpoint after one epoch. */
async function checkpointOf(
  model: AnyLanguageModel,
  config: unknown,
  backend?: Backend,
  epochs = 1,
): Promise<Uint8Array> {
  const [{ checkpoint }] = (await reports(model, { config, epochs, backend })).slice(-1);
  return await checkpoint();
}

const saved = await checkpointOf(rwkv as AnyLanguageModel, config);
const ofLstm = await checkpointOf(models[2].model, models[2].config);

testFailures("fit()", [
  [
    "nothing to start from",
    run(task, {}),
    TypeError,
    "Cannot fit: exactly one of config, params and resume must be given, current ones are none",
  ],
  [
    "two things to start from",
    run(task, { config, resume: saved }),
    TypeError,
    "Cannot fit: exactly one of config, params and resume must be given, current ones are config, resume",
  ],
  [
    "no options",
    run(task, undefined),
    TypeError,
    "Cannot fit: options must be an object, current value is undefined",
  ],
  [
    "no sequences",
    run({ train: [] }, { config }),
    TypeError,
    "Cannot fit: train must be a list of at least one sequence, current value is an array of length 0",
  ],
  [
    "a sequence of one token",
    run({ train: [[1, 2], [3]] }, { config }),
    TypeError,
    "Cannot fit: train[1] must be a list of at least 2 token ids, current length is 1",
  ],
  [
    "an id out of range",
    run({ train: [[1, 11]] }, { config }),
    RangeError,
    "Cannot compute cross-entropy: targets must be integers from 0 to 10, current id is 11 at [0, 0]",
  ],
  [
    "epochs",
    run(task, { config, epochs: 0 }),
    RangeError,
    "Cannot fit: epochs must be an integer at least 1, current value is 0",
  ],
  [
    "learning rate",
    run(task, { config, learningRate: -1 }),
    RangeError,
    "Cannot fit: learningRate must be a number above 0, current learningRate is -1",
  ],
  [
    "every",
    run(task, { config, every: 0 }),
    RangeError,
    "Cannot fit: every must be an integer at least 1, current value is 0",
  ],
  [
    "workers",
    run(task, { config, workers: 0 }),
    RangeError,
    "Cannot fit: workers must be an integer at least 1, current value is 0",
  ],
  [
    "a promise of a backend",
    run(task, { config, backend: wrong(Promise.resolve()) }),
    TypeError,
    "Cannot fit: backend must be a backend (await the promise of one), current value is a promise",
  ],
  [
    "a checkpoint of another model",
    run(task, { resume: ofLstm }),
    TypeError,
    'Cannot fit: model must be the checkpoint\'s, "lstm", current one is "rwkv"',
  ],
  [
    "a checkpoint of other sequences",
    run({ train: task.train.slice(1) }, { resume: saved }),
    TypeError,
    'Cannot fit: train must be the checkpoint\'s, "a8686b30", current one is "8a662895"',
  ],
  [
    "a checkpoint with fewer epochs than it is of",
    run(task, { resume: await checkpointOf(rwkv as AnyLanguageModel, config, undefined, 2), epochs: 1 }),
    RangeError,
    "Cannot fit: epochs of a resumed run must be an integer at least 2, current value is 1",
  ],
  [
    "a checkpoint with another batch size",
    run(task, { resume: saved, batchSize: 5 }),
    TypeError,
    "Cannot fit: batchSize must be the checkpoint's, 4, current one is 5",
  ],
  [
    "a floor above the learning rate",
    run(task, { config, learningRate: 0.1, floor: 0.2 }),
    RangeError,
    "Cannot fit: floor must be a number from 0 to learningRate, current floor is 0.2",
  ],
]);
