import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AnyLanguageModel,
  createReference,
  createWasm,
  fit,
  type FitOptions,
  lstmModel,
  motifTask,
  parameterCount,
  put,
  rwkv,
  trainAndTest,
  transformer,
} from "@seqmix/seqmix";
import { partGradient, raveledGradient } from "../../src/train/batch_gradient.ts";
import { type Batch, batchOf } from "../../src/models/batches.ts";
import { splitBatch } from "../../src/train/batches.ts";
import { languageLoss, languageObjective } from "../../src/train/language_objective.ts";
import { floatsConstructorOf } from "../../src/train/ravel.ts";
import { settingsOf } from "../../src/train/run.ts";
import { startWorkers } from "../../src/train/workers.ts";
import { tensorsOf } from "../../src/tree.ts";
import { backends } from "../backends.ts";
import { assertNear } from "../helpers.ts";
import { models } from "../mixers.ts";
import { bigram, cliff, steep } from "./own_model.ts";

const bank = motifTask({ motifs: 4, motifLength: 4, vocabulary: 11, longestCycle: 2 }, 1);
const task = trainAndTest(bank, { train: 45, test: 2, length: [9, 12], seed: 2 });
const module = new URL("./own_model.ts", import.meta.url).href;

const configs = [
  { model: rwkv as AnyLanguageModel, config: { vocabulary: 11, layers: 2, channels: 6, feedForward: 9 } },
  {
    model: transformer as AnyLanguageModel,
    config: { vocabulary: 11, layers: 2, channels: 8, feedForward: 9, heads: 2 },
  },
  { model: lstmModel as AnyLanguageModel, config: { vocabulary: 11, layers: 2, channels: 6 } },
];

const objectiveOf = (model: AnyLanguageModel) => languageObjective(model, task, settingsOf({}));

/** The sequences with these indices as a batch. */
function batchAt(indices: number[]): Batch {
  return batchOf(task.train, { indices, length: Math.max(...indices.map((i) => task.train[i].length)) });
}

const roomFor = (params: unknown) => new Float32Array(parameterCount(params));

const places = [{ name: "reference", create: () => createReference() }, {
  name: "wasm",
  create: () => createWasm(),
}];

for (const { name: on, create } of places) {
  for (const { model, make } of models) {
    Deno.test(`workers compute the gradient of one thread, of ${model.name} on ${on}`, async () => {
      using backend = await create();
      const params = await put(make(1), backend);
      const batch = batchAt([0, 2, 4, 5, 7, 8]);
      using pool = await startWorkers(3, backend, objectiveOf(model), undefined, params);
      const alone = await raveledGradient(
        partGradient(languageLoss(model)),
        params,
        { ...batch, share: 1 },
        backend,
        roomFor(params),
      );
      const together = await pool.gradient(params, batch);
      assertNear(together.grads, alone.grads, 1e-5, "gradient");
      assertNear([together.loss], [alone.loss], 1e-5, "loss");
    });
  }

  for (const { model, config } of configs) {
    Deno.test(`fit() of ${model.name} has the same first losses with two workers on ${on}`, async () => {
      using backend = await create();
      const losses = async (workers: number) => {
        const options = { config, backend, workers, batchSize: 4, epochs: 2, every: 1, learningRate: 0.01 };
        const all = [];
        for await (const at of fit(model, { train: task.train }, options)) {
          all.push(...at.losses);
          if (all.length === 20) break;
        }
        return all;
      };
      const [one, two] = [await losses(1), await losses(2)];
      assertEquals(two.length, 20);
      assertNear(two, one, 1e-4, "losses");
      // Sums are in another order, so the bits differ; equal bits would mean that nothing was shared.
      assert(two.some((loss, i) => loss !== one[i]));
    });
  }
}

const kinds = [
  { name: "wasm", create: () => createWasm() },
  { name: "wasm, baseline", create: () => createWasm({ simd: "baseline" }) },
  { name: "reference, float64", create: () => createReference({ precision: "float64" }) },
];

for (const { name, create } of kinds) {
  // Workers of another kind would give other bits.
  Deno.test(`workers compute bit for bit what one thread sums, for any batches: ${name}`, async () => {
    using backend = await create();
    const model: AnyLanguageModel = rwkv, workers = 3;
    const params = await put(models[0].make(1), backend);
    const Numbers = await floatsConstructorOf(tensorsOf(params)[0]);
    const one = async (batch: Batch) => {
      let loss = 0;
      const grads = new Numbers(parameterCount(params));
      for (const part of splitBatch(batch, workers)) {
        const found = await raveledGradient(
          partGradient(languageLoss(model)),
          params,
          part,
          backend,
          new Numbers(grads.length),
        );
        loss += found.loss;
        found.grads.forEach((x, i) => grads[i] += x);
      }
      return { loss, grads };
    };
    using pool = await startWorkers(workers, backend, objectiveOf(model), undefined, params);
    // Fewer sequences than workers, then more, fewer again, and longer ones that do not fit into the mailbox; some
    // are padded.
    for (
      const rows of [[0, 2], [0, 2, 4, 6, 8], [4], [1, 3, 5, 7, 9], [2, 4, 6, 8, 0], [0, 1, 2, 3, 4], [
        0,
        2,
        3,
      ]]
    ) {
      const batch = batchAt(rows);
      assertEquals(await pool.gradient(params, batch), await one(batch));
    }
  });

  Deno.test(`fit() with workers has the same losses, bit for bit, again and from a checkpoint: ${name}`, async () => {
    using backend = await create();
    const [{ model, config }] = configs;
    const options = { backend, workers: 2, every: 1 };
    const losses = async (start: object) => {
      const all: number[] = [], checkpoints: Uint8Array[] = [];
      for await (const at of fit(model, { train: task.train }, { ...options, ...start })) {
        all.push(...at.losses);
        if (all.length === 5) checkpoints.push(await at.checkpoint());
      }
      return { all, checkpoint: checkpoints[0] };
    };
    const start = { config, batchSize: 8, epochs: 3, learningRate: 0.02 };
    const { all, checkpoint } = await losses(start);
    assertEquals((await losses(start)).all, all);
    assertEquals((await losses({ resume: checkpoint })).all, all.slice(5));
  });
}

// A worker's device compiles its shaders again, so one model must suffice.
for (const { name, create } of backends.filter(({ name }) => name === "webgpu")) {
  Deno.test(`workers compute the gradient of one thread, of lstm on ${name}`, async () => {
    using backend = await create();
    const { make } = models.find(({ model }) => model.name === "lstm")!;
    const params = await put(make(1), backend);
    const batch = batchAt([0, 2, 4]);
    using pool = await startWorkers(
      2,
      backend,
      objectiveOf(lstmModel as AnyLanguageModel),
      undefined,
      params,
    );
    const alone = await raveledGradient(
      partGradient(languageLoss(lstmModel as AnyLanguageModel)),
      params,
      { ...batch, share: 1 },
      backend,
      roomFor(params),
    );
    assertNear((await pool.gradient(params, batch)).grads, alone.grads, 1e-5, "gradient");
  });
}

const run = (options: Partial<FitOptions<{ vocabulary: number }, unknown>>, train: unknown = task.train) =>
  Array.fromAsync(
    fit(bigram as AnyLanguageModel, { train } as never, {
      config: { vocabulary: 11 },
      epochs: 1,
      batchSize: 8,
      workers: 2,
      ...options,
    }),
  );

Deno.test("fit() trains a user-written model with workers by the URL of its module", async () => {
  const [two] = await run({ module }), [one] = await run({ workers: 1 });
  assertNear(two.losses, one.losses, 1e-4);
});

for (const { name: on, create } of backends) {
  for (const workers of [1, 2]) {
    Deno.test(`fit() with ${workers} of workers refuses overflowing squared gradients, and leaves nothing allocated, on ${on}`, async () => {
      using backend = await create();
      const options = { backend, workers, module, maxNorm: 1e30, config: { vocabulary: 11 }, batchSize: 8 };
      await assertRejects(
        () => Array.fromAsync(fit(cliff as AnyLanguageModel, { train: task.train }, options)),
        RangeError,
        "Cannot update parameters: squared gradients must be finite, current gradient of head overflows",
      );
      assertEquals(backend.memory().bytes, 0);
    });
  }
}

Deno.test("fit() gives the same if workers share no memory", async () => {
  const [shared] = await run({ module });
  const { SharedArrayBuffer } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    const [copied] = await run({ module });
    assertEquals(copied.losses, shared.losses);
  } finally {
    Object.assign(globalThis, { SharedArrayBuffer });
  }
});

const start = (script: string) => () => new Worker(new URL(script, import.meta.url), { type: "module" });

Deno.test("fit() starts workers with the caller's function, and a model that the script provides", async () => {
  let started = 0;
  const worker = () => {
    started++;
    return start("./own_worker.ts")();
  };
  const [three] = await run({ worker, workers: 3 }), [one] = await run({ workers: 1 });
  assertEquals(started, 2);
  assertNear(three.losses, one.losses, 1e-4);
});

Deno.test("fit() gives the same losses with the library's own script, started by the caller", async () => {
  const [own] = await run({ module }),
    [started] = await run({ module, worker: start("./library_worker.ts") });
  assertEquals(started.losses, own.losses);
});

Deno.test("fit() reports what is wrong with a worker's model, and terminates its workers", async () => {
  await assertRejects(
    () => run({}),
    TypeError,
    "Cannot start workers: a model that is not one of the library's must come with the module that exports it, or with " +
      'workers that are provided with it, current model is "bigram" without module and worker',
  );
  const other = new URL("../mixers.ts", module);
  await assertRejects(
    () => run({ module: other }),
    Error,
    `Cannot train in worker: TypeError: Cannot start worker: ${other} must export a model named "bigram", current `,
  );
  await assertRejects(() => run({ module: new URL("./none.ts", module) }), Error, "Cannot train in worker: ");
  await assertRejects(
    () => run({ worker: start("./library_worker.ts") }),
    Error,
    "Cannot train in worker: TypeError: Cannot start worker: provideModels must provide it with a model named " +
      '"bigram", current models are none',
  );
});

Deno.test("fit() does not mistake a model for the library's because of its name", async () => {
  const model = { ...bigram, name: "rwkv" } as AnyLanguageModel;
  const options = { config: { vocabulary: 11 }, workers: 2, worker: start("./own_worker.ts") };
  await assertRejects(
    () => Array.fromAsync(fit(model, { train: task.train }, options)),
    Error,
    'must provide it with a model named "rwkv", current models are bigram',
  );
});

Deno.test("provideModels() is in a script that refuses to run outside of a worker", async () => {
  const script = "@seqmix/seqmix/worker";
  await assertRejects(
    () => import(script),
    TypeError,
    "Cannot start worker: its script must run in a worker",
  );
});

Deno.test("fit() refuses a value that is not a worker", async () => {
  await assertRejects(
    () => run({ module, worker: {} as never }),
    TypeError,
    "Cannot fit: worker must be a function that starts one, current worker is an object (Object)",
  );
  await assertRejects(
    () => run({ module, worker: (() => undefined) as never }),
    TypeError,
    "Cannot start workers: worker must give a Worker, current value is undefined",
  );
});

Deno.test("fit() reports that a worker's script does not load, in runtimes whose error has no message", async () => {
  const silent = () => {
    const worker = Object.assign(new EventTarget(), { postMessage() {}, terminate() {} });
    setTimeout(() => worker.dispatchEvent(new Event("error")));
    return worker;
  };
  await assertRejects(
    () => run({ module, worker: silent }),
    Error,
    "Cannot train in worker: its script must load, current one does not",
  );
});

Deno.test("fit() throws the errors of a worker and of the caller's thread", async () => {
  const message =
    "RangeError: Cannot compute cross-entropy: targets must be integers from 0 to 10, current id is 11 " +
    "at [0, 1]";
  // The first sequence of the batch is the caller's.
  const messages = await Promise.all(
    [[[1, 2, 11], [3, 4, 5]], [[3, 4, 5], [1, 2, 11]]].map((train) =>
      run({ module }, train).then(() => "nothing failed", String)
    ),
  );
  assertEquals(messages.sort(), [`Error: Cannot train in worker: ${message}`, message]);
});

Deno.test("fit() can be aborted while it waits for workers that do not reply", async () => {
  const { model, config } = configs[0];
  const worker = () => new Worker("data:text/javascript,1", { type: "module" });
  const signal = AbortSignal.timeout(200);
  await assertRejects(
    async () => {
      for await (const _ of fit(model, { train: task.train }, { config, workers: 2, worker, signal }));
    },
    DOMException,
    "timeout",
  );
});

Deno.test("fit() uses a model's customGradient() in its workers", async () => {
  const losses = async (model: typeof bigram, workers: number) => {
    const found = [];
    const options = { config: { vocabulary: 11 }, workers, module, epochs: 3, batchSize: 9, seed: 1 };
    for await (const at of fit(model, { train: task.train }, options)) found.push(at.trainLoss);
    return found;
  };
  const alone = await losses(steep, 1);
  assertNear(await losses(steep, 3), alone, 1e-4);
  assert((await losses(bigram, 1)).some((loss, i) => loss !== alone[i]));
});
