/** `fit` of loss functions. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Backend,
  createReference,
  createWasm,
  fit,
  type FitLossOptions,
  mean,
  multiply,
  read,
  readFloat64,
  subtract,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { flatten, stack, upload } from "../../src/train/collate.ts";
import { lossObjective } from "../../src/train/loss_objective.ts";
import { settingsOf } from "../../src/train/run.ts";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";
import noisyError, { squaredError } from "./own_losses.ts";

const module = new URL("./own_losses.ts", import.meta.url);

interface Point {
  readonly x: readonly number[];
  readonly y: number;
}

/** Points near a plane. */
const points: Point[] = Array.from({ length: 13 }, (_, i) => {
  const x = [Math.sin(i), Math.cos(3 * i), 1];
  return { x, y: 2 * x[0] - x[1] + 0.5 + 0.1 * Math.sin(7 * i) };
});
const start = () => ({ line: tensor([0.1, -0.2, 0.3], [3]) });
type Params = ReturnType<typeof start>;
type Options = FitLossOptions<Params, Point> & { readonly collate?: undefined };

const options = { batchSize: 5, epochs: 3, learningRate: 0.05, every: 1 };

/** The losses of all steps. */
async function lossesOf(own: Partial<Options>, loss: typeof noisyError = squaredError): Promise<number[]> {
  const losses: number[] = [];
  for await (const at of fit(loss, { train: points }, { ...options, ...own })) losses.push(...at.losses);
  return losses;
}

/** Computes batches in parts of as few examples as possible. */
function inParts(backend: Backend): void {
  Object.defineProperty(backend, "workAtOnce", { value: 1, configurable: true });
}

testOnAll("fit() of a loss has the losses of a regression by hand", async (backend) => {
  // With w = 0 the loss is (1² + 3²) / 2, and its gradient is clipped to -1, so that w grows by the rate.
  const train = [{ x: [1], y: 1 }, { x: [2], y: 3 }];
  const options = { params: { line: tensor([0], [1]) }, backend, hyper: { weightDecay: 0 }, epochs: 3 };
  const losses: number[] = [];
  let last: Tensor[] = [];
  for await (
    const at of fit(squaredError, { train, test: train.slice(1) }, {
      ...options,
      learningRate: 0.1,
      floor: 0.1,
      metrics: async ({ line }, examples) => [(await read(line))[0], examples.length],
    })
  ) {
    losses.push(...at.losses);
    assertEquals([at.epoch, at.step, at.steps], [losses.length, losses.length, 3]);
    const [w, count] = at.metrics!;
    assertEquals(count, 1);
    assertNear([w], [0.1 * losses.length], 1e-5);
    assertNear([at.test!.loss], [(2 * w - 3) ** 2], 1e-5);
    last = [at.params.line, at.optimizer.mean.line, at.optimizer.variance.line];
  }
  assertNear(losses, [5, (0.9 ** 2 + 2.8 ** 2) / 2, (0.8 ** 2 + 2.6 ** 2) / 2], 1e-5);
  backend.free(last);
  assertEquals(backend.memory().bytes, 0);
});

testOnAll("fit() of a loss is the same for any division of a batch, up to rounding", async (backend) => {
  // The mean over all terms of all examples, each a list of terms.
  const train = points.map(({ x, y }, i) =>
    Array.from({ length: 1 + i * 5 % 7 }, (_, t) => ({ x: [x[0] + t, x[1], 1], y }))
  );
  const collate = (examples: readonly Point[][]) => stack(examples.flat()) as { x: number[][]; y: number[] };
  const run = async (own: { readonly workers?: number }) => {
    const all: number[] = [], tests: number[] = [];
    const given = { ...options, params: start(), backend, collate, module, lossName: "squaredError", ...own };
    for await (const at of fit(squaredError, { train, test: train.slice(2) }, given)) {
      all.push(...at.losses);
      if (at.test) tests.push(at.test.loss);
      const { line } = at.params;
      if (at.step === at.steps) all.push(...await read(line));
    }
    return { all, tests };
  };
  const whole = await run({});
  inParts(backend);
  const parts = await run({});
  assertNear(parts.all, whole.all, 1e-4, "losses in parts");
  assertNear(parts.tests, whole.tests, 1e-4, "evaluations in parts");
  if (backend.name === "webgpu") return;
  for (const workers of [2, 3]) {
    assertNear((await run({ workers })).all, whole.all, 1e-4, `losses of ${workers} workers`);
  }
});

Deno.test("fit() of a mean over examples of several lengths is the same for any division of a batch", async () => {
  using backend = await createWasm();
  const lengthOf = ({ y }: Point) => 1 + Math.round(9 * Math.abs(y)), weightOf = () => 1;
  const run = async (own: Partial<Options>) => {
    const all: number[] = [];
    const given = {
      ...options,
      params: start(),
      backend,
      lengthOf,
      module,
      lossName: "squaredError",
      ...own,
    };
    for await (const at of fit(squaredError, { train: points, test: points.slice(2) }, given)) {
      all.push(...at.losses, ...at.test ? [at.trainLoss, at.test.loss] : []);
    }
    return all;
  };
  const whole = await run({ weightOf });
  assertNear(await run({ weightOf, workers: 2 }), whole, 1e-4, "two workers");
  inParts(backend);
  assertNear(await run({ weightOf }), whole, 1e-4, "parts");
  // Weights by length, the default, are other ones here.
  assert(Math.abs((await run({}))[0] - whole[0]) > 1e-3);
});

Deno.test("fit() of a loss weights batches and examples by their lengths", async () => {
  using backend = createReference({ precision: "float64" });
  const train = [[1, 2, 3, 4], [10], [5, 5]], { length } = train.flat();
  const square = ({ w }: { w: Tensor }, { y }: { y: Tensor }) => {
    const error = subtract(w, y);
    return mean(multiply(error, error));
  };
  const params = { w: tensor([0.5], [1]) };
  const collate = (lists: readonly number[][]) => ({ y: lists.flat() });
  for (const own of [{ batchSize: 1 }, { batchSize: 3 }, { batchSize: 2, accumulate: 2 }]) {
    const options = { ...own, params, backend, collate, epochs: 1, learningRate: 1e-12 };
    const [at] = await Array.fromAsync(fit(square, { train, test: train }, options));
    const expected = train.flat().reduce((sum, y) => sum + (0.5 - y) ** 2, 0) / length;
    assertNear([at.trainLoss, at.test!.loss], [expected, expected], 1e-9);
  }
});

testOnAll(
  "fit() of a loss compiles its step: nothing is uploaded but the batch, and memory is constant",
  async (backend) => {
    let calls = 0;
    const counted = (params: Params, batch: { x: Tensor; y: Tensor }) => {
      calls++;
      return squaredError(params, batch);
    };
    const held: number[] = [];
    let last: unknown;
    const train = [...points, ...points].slice(0, 20);
    for await (const at of fit(counted, { train }, { ...options, params: start(), backend, epochs: 30 })) {
      held.push(backend.memory().bytes);
      last = [at.params, at.optimizer];
    }
    assertEquals(held.length, 120);
    assert(calls < 5, `${calls} calls`);
    assertEquals(new Set(held.slice(20)).size, 1);
    backend.free(last);
    assertEquals(backend.memory().bytes, 0);
  },
);

testOnAll("fit() of a loss resumes from any step, bit for bit", async (backend) => {
  const rate = (step: number, steps: number) => 0.1 * (1 - step / steps);
  for (const own of [{}, { accumulate: 2, learningRate: rate }]) {
    const losses: number[] = [], checkpoints: Uint8Array[] = [];
    const given = { ...options, ...own, backend, seed: 7 };
    for await (const at of fit(noisyError, { train: points }, { ...given, params: start() })) {
      losses.push(...at.losses);
      checkpoints.push(await at.checkpoint());
      assertEquals(at.learningRate, own.learningRate ? rate(at.step - 1, at.steps) : at.learningRate);
    }
    assertEquals(losses.length, own.accumulate ? 6 : 9);
    for (const step of [1, 3, 4]) {
      const resumed = { resume: checkpoints[step - 1], backend, every: 2, learningRate: own.learningRate };
      const rest: number[] = [];
      for await (const at of fit(noisyError, { train: points }, resumed)) rest.push(...at.losses);
      assertSame(rest, losses.slice(step), `losses from step ${step} on`);
    }
  }
});

Deno.test("fit() of a loss has the same losses with workers, again and from a checkpoint, with and without shared memory", async () => {
  using backend = await createWasm();
  const given = { backend, workers: 2, module, params: start() };
  const first = await lossesOf(given, noisyError);
  assertSame(await lossesOf(given, noisyError), first);
  const { SharedArrayBuffer } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    assertSame(await lossesOf(given, noisyError), first);
  } finally {
    Object.assign(globalThis, { SharedArrayBuffer });
  }
  for await (const at of fit(noisyError, { train: points }, { ...options, ...given })) {
    if (at.step < 2) continue;
    const { params: _, ...rest } = given, none = { batchSize: undefined, learningRate: undefined };
    assertSame(
      await lossesOf({ ...rest, ...none, resume: await at.checkpoint() }, noisyError),
      first.slice(2),
    );
    break;
  }
});

Deno.test("fit() of a loss accumulates batches to the step of a larger batch", async () => {
  using backend = await createWasm();
  const whole = await lossesOf({ backend, params: start(), batchSize: 13, epochs: 6 });
  for (const own of [{}, { workers: 2, module, lossName: "squaredError" }]) {
    const given = { ...own, backend, params: start(), batchSize: 3, accumulate: 5, epochs: 6 };
    assertNear(await lossesOf(given), whole, 1e-4);
  }
  // The last step of an epoch has what is left: batches of 3, 3 and 3, then of 3 and 1.
  assertEquals(
    (await lossesOf({ backend, params: start(), batchSize: 3, accumulate: 3, epochs: 2 })).length,
    4,
  );
});

Deno.test("fit() of a loss gives each step, batch and part its own number for random draws", async () => {
  using backend = createReference();
  const objective = lossObjective(noisyError, { train: points }, settingsOf({}));
  const stepsOf = (draw: number, parts: number) => {
    const batch = objective.batchAt({ indices: [3, 1, 4, 0, 5], length: 4 }, draw);
    const inputs = objective.split(batch, parts).map((part) => objective.inputsOf(part, backend).tensors);
    return Promise.all(inputs.map(async (tensors) => (await read((tensors as { step: Tensor }).step))[0]));
  };
  assertEquals(await stepsOf(40, 1), [40]);
  assertEquals(await stepsOf(40, 3), [40, 41, 43]);
  assertEquals(await stepsOf(2 ** 24 + 7, 2), [7, 9]);
  // At a rate of almost 0, the losses of one batch differ by their draws alone.
  const same = { params: start(), backend, batchSize: 13, learningRate: 1e-12 };
  for (const accumulate of [1, 2]) {
    const losses = await lossesOf({ ...same, accumulate, epochs: 4 }, noisyError);
    assertEquals(new Set(losses).size, 4, String(losses));
    assert((await lossesOf({ ...same, accumulate, epochs: 4, seed: 1 }, noisyError))[0] !== losses[0]);
  }
});

testOnAll("fit() of a loss leaves nothing allocated after an error but its last report", async (backend) => {
  let calls = 0;
  const fails = (value: unknown) => {
    if (++calls > 4) throw new Error("no");
    return value;
  };
  const collate = (examples: readonly Point[]) => fails(stack(examples)) as { x: number[][]; y: number[] };
  const cases = [
    { collate },
    { collate, accumulate: 2 },
    {
      collate: (examples: readonly Point[]) => stack(examples) as ReturnType<typeof collate>,
      metrics: fails,
    },
    { collate, learningRate: (step: number) => fails(step === 5 ? NaN : 0.1) as number },
  ];
  for (const own of cases) {
    for (const workAtOnce of [Infinity, 1]) {
      Object.defineProperty(backend, "workAtOnce", { value: workAtOnce, configurable: true });
      calls = 0;
      let last: unknown;
      const given = { ...options, params: start(), backend, epochs: 30, validateEvery: 1, ...own };
      await assertRejects(
        async () => {
          for await (const at of fit(squaredError, { train: points, test: points.slice(0, 2) }, given)) {
            last = [at.params, at.optimizer];
          }
        },
        Error,
        "no",
      );
      backend.free(last);
      assertEquals(backend.memory().bytes, 0);
    }
  }
});

Deno.test("fit() of a loss lets timers fire, throws a signal's reason, and leaves nothing allocated", async () => {
  using backend = createReference();
  const train = Array.from({ length: 256 }, (_, i) => ({
    x: Float32Array.from({ length: 2000 }, (_, j) => (i * j) % 7),
    y: i,
  }));
  const params = { line: tensor(new Float32Array(2000), [2000]) };
  const given = { params, backend, signal: AbortSignal.timeout(700), epochs: 1e6, batchSize: 256 };
  let last: unknown, ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const error = await assertRejects(async () => {
    for await (const at of fit(squaredError, { train }, given)) last = [at.params, at.optimizer];
  });
  clearInterval(timer);
  assert(ticks > 3, `${ticks} ticks`);
  assertEquals((error as Error).name, "TimeoutError");
  backend.free(last);
  assertEquals(backend.memory().bytes, 0);
});

const workerOf = (script: string) => () => new Worker(new URL(script, import.meta.url), { type: "module" });

Deno.test("fit() finds a loss by its name or as the default of a module, and among those that a script provides", async () => {
  using backend = await createWasm();
  const given = { backend, workers: 2, params: start() };
  const squared = await lossesOf({ ...given, module, lossName: "squaredError" });
  const noisy = await lossesOf({ ...given, module }, noisyError);
  const many = workerOf("./own_losses_worker.ts"), one = workerOf("./own_loss_worker.ts");
  assertSame(await lossesOf({ ...given, worker: many, lossName: "squaredError" }), squared);
  assertSame(await lossesOf({ ...given, worker: many, lossName: "noisyError" }, noisyError), noisy);
  assertSame(await lossesOf({ ...given, worker: one }), squared);
  await assertRejects(
    () => lossesOf(given),
    TypeError,
    "Cannot start workers: a loss must come with the module that exports it, or with workers that are provided with it, " +
      "current one is without module and worker",
  );
  await assertRejects(
    () => lossesOf({ ...given, module, lossName: "squared" }),
    Error,
    `Cannot start worker: ${module} must export a function named "squared", current exports are `,
  );
  await assertRejects(
    () => lossesOf({ ...given, worker: many }),
    Error,
    "Cannot start worker: provideLosses must provide it with one loss, or one with the name in lossName, current losses " +
      "are squaredError, noisyError",
  );
});

Deno.test("fit() does not start workers without end if their module is the program's main one", async () => {
  using backend = await createWasm();
  const main = new URL("./main_with_workers.ts", import.meta.url);
  await assertRejects(
    () => lossesOf({ backend, workers: 2, params: start(), module: main, lossName: "loss" }),
    Error,
    `Cannot start workers: module must not be the program's main one, which workers run again, current module is ${main}`,
  );
});

Deno.test("fit() refuses a module that is not a URL", async () => {
  for (
    const [wrongModule, shown] of [[null, "null"], [5, "5"], [{}, "an object (Object)"], [
      "./a.ts",
      '"./a.ts"',
    ]]
  ) {
    await assertRejects(
      () => lossesOf({ params: start(), module: wrong(wrongModule) }),
      TypeError,
      `Cannot fit: module must be an absolute URL, current module is ${shown}`,
    );
  }
});

Deno.test("stack() and flatten() make tensors of numbers, lists and objects of them", async () => {
  using backend = createReference({ precision: "float64" });
  const examples = [
    { x: new Float64Array([0.1, 2]), ids: [[1], [2], [3]], y: 7, inner: { z: Int32Array.of(1) } },
    { x: new Float64Array([3, 4]), ids: [[4], [5], [6]], y: 8, inner: { z: Int32Array.of(2) } },
  ];
  const { x, ids, y, inner } = upload(flatten(stack(examples)), backend) as Record<string, Tensor> & {
    inner: { z: Tensor };
  };
  assertEquals([x.shape, ids.shape, y.shape, inner.z.shape], [[2, 2], [2, 3, 1], [2], [2, 1]]);
  assertEquals([...await readFloat64(x)], [0.1, 2, 3, 4]);
  assertEquals([...await readFloat64(ids)], [1, 2, 3, 4, 5, 6]);
  const other = { one: 5, list: [], name: "a", flag: true, none: null };
  const uploaded = upload(flatten(other), backend) as Record<string, Tensor>;
  assertEquals([uploaded.one.shape, uploaded.list.shape], [[], [0]]);
  assertEquals([uploaded.name, uploaded.flag, uploaded.none] as unknown[], ["a", true, null]);
});

const run = (task: unknown, own: object = {}, loss: unknown = squaredError) => async () => {
  await Array.fromAsync(fit(loss as never, task as never, { params: start(), ...own } as never));
};
const task = { train: points };
const saved = async (own: object = {}) => {
  const reports = fit(squaredError, task, { ...options, params: start(), ...own });
  for await (const at of reports) return await at.checkpoint();
};
const ofNumber = await saved(), ofFunction = await saved({ learningRate: () => 0.1 });
const given = (resume: unknown) => ({ params: undefined, resume });

testFailures("fit() of a loss", [
  [
    "no loss",
    run(task, {}, 5),
    TypeError,
    "Cannot fit: model must be a language model or a loss function, current value is 5",
  ],
  [
    "a loss of several numbers",
    run(task, {}, ({ line }: Params) => line),
    TypeError,
    "Cannot fit: loss must give a single number, current shape is [3]",
  ],
  [
    "a loss that is no tensor",
    run(task, {}, () => 1),
    TypeError,
    "Cannot fit: loss must give a single number, current value is 1",
  ],
  [
    "a promise",
    run(task, {}, async () => await Promise.resolve()),
    TypeError,
    "Cannot fit: loss must give a single number, current value is a promise",
  ],
  [
    "a constant",
    run(task, {}, (_: unknown, { y }: { y: Tensor }) => mean(y)),
    TypeError,
    "Cannot differentiate: loss must depend on params by operations with gradients, current loss is a constant",
  ],
  [
    "a loss that is NaN",
    run({ train: [{ x: [NaN, 1, 1], y: 1 }] }),
    RangeError,
    "Cannot fit: losses must be finite (a lower learningRate may help), current loss of step 1 is NaN",
  ],
  [
    "no examples",
    run({ train: [] }),
    TypeError,
    "Cannot fit: train must be a list of at least one example, current value is an array of length 0",
  ],
  [
    "no test examples",
    run({ ...task, test: [] }),
    TypeError,
    "Cannot fit: test must be a list of at least one example, current value is an array of length 0",
  ],
  [
    "nothing to start from",
    run(task, { params: undefined }),
    TypeError,
    "Cannot fit: exactly one of params and resume must be given, current ones are none",
  ],
  [
    "a config",
    run(task, { config: {} }),
    TypeError,
    "Cannot fit: options must have names among params, resume, seed, epochs, batchSize, accumulate, learningRate, floor, " +
    "warmup, maxNorm, hyper, backend, every, validateEvery, metrics, workers, worker, module, signal, collate, " +
    "lengthOf, weightOf, lossName, current one is config",
  ],
  [
    "a length of 0",
    run({ train: [[1], []] }),
    RangeError,
    "Cannot fit: length of train[1] must be an integer at least 1, current value is 0",
  ],
  [
    "a weight of 0",
    run(task, { weightOf: () => 0 }),
    RangeError,
    "Cannot fit: weight of train[0] must be an integer at least 1, current value is 0",
  ],
  [
    "examples of a class",
    run({ train: [new Date()] }),
    TypeError,
    "Cannot fit: an example must be a number, a list of numbers or an object of these (collate can make one), current " +
    "value is an object (Date)",
  ],
  [
    "examples of other names",
    run({ train: [{ x: [1], y: 1 }, { x: [1] }] }),
    TypeError,
    "Cannot fit: an example must have the names x in every example, current ones are x, y",
  ],
  [
    "lists of several lengths",
    run({ train: [{ x: [1], y: 1 }, { x: [1, 2], y: 1 }] }),
    TypeError,
    "Cannot fit: lists of batch.x must have one length (collate can pad them), current lengths are 2 and 1",
  ],
  [
    "texts among numbers",
    run(task, { collate: () => ({ x: [1, "a"] }) }),
    TypeError,
    'Cannot fit: batch.x must be numbers in lists of equal depth, current value in it is "a"',
  ],
  [
    "tensors as a batch",
    run(task, { collate: () => tensor([1], [1]) }),
    TypeError,
    "Cannot fit: batch must be a number, a list of numbers or an object of these, current value is a tensor of shape [1]",
  ],
  [
    "no function that collates",
    run(task, { collate: 1 }),
    TypeError,
    "Cannot fit: collate must be a function that turns examples into numbers, current collate is 1",
  ],
  [
    "a rate that is NaN",
    run(task, { learningRate: (step: number) => step === 0 ? 0.1 : NaN }),
    RangeError,
    "Cannot fit: learningRate of step 1 must be finite and at least 0, current value is NaN",
  ],
  [
    "a floor of a function",
    run(task, { learningRate: () => 0.1, floor: 0.01 }),
    TypeError,
    "Cannot fit: floor must go with a number as learningRate, current learningRate is a function",
  ],
  [
    "accumulate",
    run(task, { accumulate: 0 }),
    RangeError,
    "Cannot fit: accumulate must be an integer at least 1, current value is 0",
  ],
  [
    "validateEvery",
    run({ ...task, test: points }, { validateEvery: 0 }),
    RangeError,
    "Cannot fit: validateEvery must be an integer at least 1, current value is 0",
  ],
  [
    "metrics without test examples",
    run(task, { metrics: () => 1 }),
    TypeError,
    "Cannot fit: metrics must come with test examples, current test is undefined",
  ],
  [
    "a checkpoint of other examples",
    run({ train: points.map((point) => ({ ...point, y: 0 })) }, given(ofNumber)),
    TypeError,
    `Cannot fit: train must be the checkpoint's, "1ad0216e", current one is "e9087dfc"`,
  ],
  [
    "a checkpoint without a function",
    run(task, { ...given(ofNumber), learningRate: () => 0.1 }),
    TypeError,
    "Cannot fit: learningRate must be the checkpoint's, 0.05, current one is a function",
  ],
  [
    "a checkpoint with a function",
    run(task, given(ofFunction)),
    TypeError,
    "Cannot fit: learningRate must be a function, as the checkpoint's, current value is undefined",
  ],
]);
