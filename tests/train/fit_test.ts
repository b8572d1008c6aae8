import { assert, assertEquals, assertRejects } from "@std/assert";
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
  put,
  read,
  rwkv,
  tensor,
  trainAndTest,
  transformer,
} from "@seqmix/seqmix";
import { reference } from "../../src/backends/reference/mod.ts";
import { batchOrder } from "../../src/train/batches.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";

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

async function reports(model: AnyLanguageModel, options: Options): Promise<Progress[]> {
  return await Array.fromAsync(fit(model, task, { epochs: 3, batchSize: 4, learningRate: 0.02, ...options }));
}

for (const { model, config } of models) {
  testOnAll(`fit() of ${model.name} brings the loss down`, async (backend) => {
    const all = await reports(model, { config, backend, epochs: 12 });
    const [first] = all, last = all[all.length - 1];
    assertEquals(all.map(({ epoch }) => epoch), all.map((_, i) => i + 1));
    assertEquals([last.step, last.epochs], [last.steps, 12]);
    assert(last.trainLoss < 0.9 * first.trainLoss, `from ${first.trainLoss} to ${last.trainLoss}`);
    assert(last.test!.loss < first.test!.loss);
    const { loss, accuracy } = await evaluate(model, last.params, task.test);
    assertEquals([loss, accuracy], [last.test!.loss, last.test!.accuracy]);
  });

  testOnAll(
    `fit() of ${model.name} goes on from any checkpoint to the same losses, bit for bit`,
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

testOnAll("fit() holds no more once all forms of batches came", async (backend) => {
  const held: number[] = [], peaks: number[] = [];
  let before: unknown;
  for await (
    const at of fit(rwkv as AnyLanguageModel, task, { config, backend, batchSize: 4, epochs: 3, every: 1 })
  ) {
    // At the end of an epoch some were evaluated on, and batches are of two lengths: one is compared with its like.
    if (at.test === null) held.push(backend.memory().bytes);
    peaks.push(backend.memory().peakBytes);
    before = at;
  }
  // Every form of batch is compiled when it comes first: that of each length, and a last one of fewer sequences.
  const settled = held.slice(held.length >> 1);
  assertEquals(new Set(settled).size, 1, `bytes held: ${held}`);
  assertEquals(peaks.at(-1), peaks[peaks.length >> 1], `most bytes: ${peaks}`);
  backend.free(before);
});

Deno.test("fit() gives the trained parameters and their optimiser to the caller", async () => {
  using backend = createReference();
  const all = await reports(rwkv as AnyLanguageModel, { config, backend });
  const { params, optimizer } = all[all.length - 1];
  for (const t of tensorsOf(params)) assertEquals(t.backend, backend);
  assertEquals(optimizer.step, all[all.length - 1].step);
  backend.free([params, optimizer]);
  assertEquals(backend.memory().bytes, 0);
});

Deno.test("fit() frees the parameters of a report at the next one, but never those that it was given", async () => {
  using backend = createReference();
  const start = rwkv.init(config as never, 1);
  await reports(rwkv as AnyLanguageModel, { params: start, epochs: 1 });
  assertSame(await read(start.head), await read(rwkv.init(config as never, 1).head));
  const all = await reports(rwkv as AnyLanguageModel, { config, backend, epochs: 2 });
  await assertRejects(() => all[0].checkpoint(), TypeError, "was freed");
});

Deno.test("fit() is the same each time, and another with another seed", async () => {
  const losses = async (seed: number) =>
    (await reports(rwkv as AnyLanguageModel, { config, seed, epochs: 2 })).flatMap(({ losses }) => losses);
  const [one, again, other] = [await losses(1), await losses(1), await losses(2)];
  assertSame(again, one);
  assert(other.some((loss, i) => loss !== one[i]));
});

Deno.test("fit() reports every so many steps, and at the end of each epoch", async () => {
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

Deno.test("fit() has a learning rate by leaf where it is asked for", async () => {
  const hyper = { rateFactor: ({ path }: { path: string }) => path === "head" ? 1 : 0, weightDecay: 0 };
  const [{ params }] = await reports(rwkv as AnyLanguageModel, { config, hyper, epochs: 1 });
  const start = rwkv.init(config as never, 0), after = params as typeof start;
  assertSame(await read(after.embedding), await read(start.embedding));
  const head = await read(start.head);
  assert((await read(after.head)).every((value, i) => value !== head[i]));
});

for (const options of [{}, { workers: 2 }, { workers: 2, batchSize: 1 }]) {
  Deno.test(`fit() of ${JSON.stringify(options)} ends with a signal's reason, lets timers run, and keeps nothing`, async () => {
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
    // Those of the last report are the caller's.
    backend.free([last?.params, last?.optimizer]);
    assertEquals(backend.memory().bytes, 0);
  });
}

for (const bad of [NaN, Infinity]) {
  testOnAll(`fit() stops at a loss of ${bad}, and its last report is still the caller's`, async (backend) => {
    const train = task.train.map((sequence) => Array.from(sequence, (id) => id % 10).slice(0, 8));
    // The loss of the sixth step: its sequence alone has the last id.
    train[batchOrder(train.map(({ length }) => length), 1, 0, 0)[5][0]][3] = 10;
    const model = {
      ...rwkv,
      forward(...[params, tokens, state]: Parameters<typeof rwkv.forward>) {
        const { logits, state: next } = rwkv.forward(params, tokens, state);
        const factors = tensor(
          new Float32Array(11 * 11).fill(1).fill(bad, 10 * 11),
          [11, 11],
          logits.backend,
        );
        return { logits: multiply(logits, embedding(factors, tokens)), state: next };
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

Deno.test("fit() gives the same to the last bit whatever the clock does, and in parts what the whole gives", async () => {
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

Deno.test("fit() lets requests be answered meanwhile", async () => {
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
  // What is left after the training does not count.
  const meanwhile = answer;
  await asked;
  assertEquals(meanwhile, "answered");
});

Deno.test("fit() keeps nothing of a run whose workers do not start, and leaves what it was given", async () => {
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

Deno.test("fit() keeps nothing of a run that finds no room for the optimiser's state, and leaves what it was given", async () => {
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

Deno.test("fit() keeps no initial values of which its backend has a copy", async () => {
  using backend = createReference();
  const { bytes } = reference.memory();
  for await (const _ of fit(rwkv as AnyLanguageModel, task, { config, backend })) break;
  // What other tests left there may have been collected meanwhile.
  assert(reference.memory().bytes <= bytes);
});

Deno.test("fit() has losses in double precision where its backend has, with workers and without", async () => {
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
): Promise<Uint8Array> {
  const [{ checkpoint }] = await reports(model, { config, epochs: 1, backend });
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
    "Cannot fit: sequences must be lists of at least two ids, current train[1] is an array of length 1",
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
    'Cannot fit: the training sequences must be the checkpoint\'s, "a8686b30", current one is "8a662895"',
  ],
  [
    "a checkpoint with another number of epochs",
    run(task, { resume: saved, epochs: 4 }),
    TypeError,
    "Cannot fit: epochs must be the checkpoint's, 1, current one is 4",
  ],
]);
