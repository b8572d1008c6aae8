/**
 * Training from the first step to the last, as a stream of progress reports.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { createReference } from "../backends/reference/mod.ts";
import { createWasm } from "../backends/wasm/mod.ts";
import { checkBackend, checkInteger, checkSequences, show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import { trainingStep } from "./step.ts";
import { eventLoop } from "../event_loop.ts";
import { batchOf, tokensOf } from "../models/batches.ts";
import { evaluate, type Evaluation } from "../models/evaluate.ts";
import { checkModel, type LanguageModel } from "../models/language_model.ts";
import type { Backend } from "../tensor.ts";
import { put } from "../transfer.ts";
import { backendOf, tensorsOf } from "../tree.ts";
import { adamW, type AdamWHyper, hyperNames, type OptimizerState } from "./adam_w.ts";
import { batchOrder } from "./batches.ts";
import { loadRun, type Run, saveRun, settingsOf } from "./run.ts";
import { cosineDecay } from "./schedule.ts";
import type { FitWorker } from "./fit_worker.ts";
import { startWorkers, type WorkerPool } from "./workers.ts";

/** The data of a training: lists of token ids, each of at least two tokens. */
export interface FitTask {
  /** The sequences to train on. */
  readonly train: readonly ArrayLike<number>[];
  /** The sequences to evaluate on after each epoch, which are never trained on. Default: no evaluation. */
  readonly test?: readonly ArrayLike<number>[] | undefined;
}

/** How a model is trained. For a resumed training, the settings come from the checkpoint. */
export interface FitOptions<Config, Params> {
  /** The sizes of a model that starts from its initial values. */
  readonly config?: Config | undefined;
  /** Parameters to start from instead of initial values. They are not changed. */
  readonly params?: Params | undefined;
  /** A checkpoint to resume from, instead of either. A run that has ended can be resumed with more `epochs`. */
  readonly resume?: Uint8Array | ArrayBuffer | undefined;
  /**
   * The seed of the initial values and of the order of batches, an integer from 0 to 2⁵³ - 1; default 0, a fixed
   * seed: the same call trains the same model.
   */
  readonly seed?: number | undefined;
  /**
   * The number of passes over the sequences, including those before a resumption; default 50. A resumed run may have
   * more than before.
   */
  readonly epochs?: number | undefined;
  /**
   * The number of sequences in a batch, B; default 32. The last batch may have fewer, as may batches of very
   * different lengths.
   */
  readonly batchSize?: number | undefined;
  /**
   * The highest learning rate, which then decreases along a cosine ({@linkcode cosineDecay}) over all steps; default
   * 1e-3. Each step has the rate that it has in a run of that many epochs from the start: a run that is resumed with
   * more epochs continues along the longer cosine, at a higher rate than it ended with.
   */
  readonly learningRate?: number | undefined;
  /** The learning rate at the end; default 0. If it equals `learningRate`, the rate is constant. */
  readonly floor?: number | undefined;
  /** The number of warm-up steps in which the learning rate first rises; default 0. */
  readonly warmup?: number | undefined;
  /** The norm that gradients are clipped to; default 1. */
  readonly maxNorm?: number | undefined;
  /** Other hyperparameters of the optimiser, {@linkcode adamW}; its `rateFactor` scales the schedule's rate. */
  readonly hyper?: Omit<AdamWHyper, "learningRate"> | undefined;
  /**
   * Where the parameters live and are trained; `params` from elsewhere are copied to it. Default: a new WebAssembly
   * backend, or a reference backend, which is many times slower, if the runtime does not support that. The caller
   * owns it from the first report on (see `backend` there); a training that ends earlier disposes of it.
   */
  readonly backend?: Backend | undefined;
  /** The number of steps between two reports; default: one report at the end of each epoch. */
  readonly every?: number | undefined;
  /**
   * The number of workers that share each batch, in parts as equal as possible; default 1. More than `batchSize` are
   * useless. The first worker is the caller's thread, which is busy with its part as it would be with the whole
   * batch. Each other worker has a thread and a backend of its own, created like the caller's. (Deno requires
   * `--allow-read` for them if the library is a local file.)
   */
  readonly workers?: number | undefined;
  /**
   * Starts one of the other workers, with a script that imports `@seqmix/seqmix/worker`; for programs in which the
   * library's own script can't be found:
   * `() => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" })`.
   */
  readonly worker?: (() => FitWorker) | undefined;
  /**
   * For a model that is not the library's: the URL of a module that exports it, for the workers. Bundlers leave no
   * such module; use `worker` with `provideModels` instead.
   */
  readonly module?: string | { readonly href: string } | undefined;
  /** Aborts the training, also within a step or an evaluation, with the signal's reason as the error. */
  readonly signal?: AbortSignalLike | undefined;
}

/** The state of a training. */
export interface FitProgress<Params> {
  /** The epoch of the last step, counted from 1. */
  readonly epoch: number;
  /** The number of epochs. */
  readonly epochs: number;
  /** The number of steps taken. */
  readonly step: number;
  /** The number of steps in all. */
  readonly steps: number;
  /** The loss of each step since the last report: the mean over its batch's tokens, in nats. */
  readonly losses: readonly number[];
  /** The mean loss per token over the epoch so far, in nats. */
  readonly trainLoss: number;
  /** The evaluation on the test sequences; null except at the end of an epoch. */
  readonly test: Evaluation | null;
  /** The learning rate of the last step. */
  readonly learningRate: number;
  /** The number of tokens trained on per second since the start or the resumption, without evaluation. */
  readonly tokensPerSecond: number;
  /** An estimate of the remaining time, including evaluation. */
  readonly secondsLeft: number;
  /**
   * The backend that the training runs on: the caller's, or else one that `fit` created, which holds `params` and
   * `optimizer`. Once these are no longer needed and the training has ended, `backend[Symbol.dispose]()` frees
   * everything at once; a backend that is not disposed of is garbage-collected with them.
   */
  readonly backend: Backend;
  /**
   * The parameters, on the backend. The next report frees them; the caller owns those of the last report, however the
   * training ends.
   */
  readonly params: Params;
  /** The optimiser's state, like `params`. */
  readonly optimizer: OptimizerState<Params>;
  /**
   * The bytes of a checkpoint. With the same `hyper`, `workers` and kind of backend, a resumed training has the same
   * losses, bit for bit. Call it before the next report.
   */
  checkpoint(): Promise<Uint8Array<ArrayBuffer>>;
}

const action = "fit";
const optionNames: Names<FitOptions<unknown, unknown>> = {
  config: 0,
  params: 0,
  resume: 0,
  seed: 0,
  epochs: 0,
  batchSize: 0,
  learningRate: 0,
  floor: 0,
  warmup: 0,
  maxNorm: 0,
  hyper: 0,
  backend: 0,
  every: 0,
  workers: 0,
  worker: 0,
  module: 0,
  signal: 0,
};
/** The number of steps that a device may lag behind before the training waits for it. */
const stepsAhead = 8;

/**
 * Trains a model to predict the next token, with AdamW, a learning rate that decreases along a cosine, and gradients
 * clipped by their norm. Sequences of similar length are batched and padded at the end to a common length. Lengths
 * are rounded up to at most four per octave, and a batch has fewer sequences where more than about a quarter of it
 * would be padding (495 paragraphs of 328 lengths make 17 batches, 18% of which is padding). Padding changes neither
 * the loss, which is the mean over the real tokens, nor its gradient, since no step of a model sees later ones. The
 * batches are drawn anew in each epoch, from the seed alone, so that the same call gives the same losses. The event
 * loop turns at least every 20 ms plus the time of one part of a batch: if the computation runs on the caller's
 * thread, gradients are computed for a few sequences at a time and summed.
 *
 * @param model the model
 * @param task the sequences to train and test on
 * @param options the settings; exactly one of `config`, `params` and `resume` is required
 * @returns reports of progress; leaving the loop ends the training
 * @throws {TypeError} (at the first step) on invalid options or sequences, an unknown option, or a checkpoint of
 *   another model or of other sequences
 * @throws {RangeError} (at the first step) on numbers out of range, and at the step whose loss is NaN or infinite
 *
 * @example
 * ```ts
 * import { createWasm, fit, motifTask, presets, rwkv, trainAndTest } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * const task = trainAndTest(motifTask({}, 1), { train: 64, test: 8, length: 32, seed: 2 });
 * for await (const at of fit(rwkv, task, { config: presets.matched.rwkv, epochs: 2, backend })) {
 *   console.log(at.epoch, at.trainLoss, at.test?.accuracy, at.tokensPerSecond);
 * }
 * ```
 */
export async function* fit<Config, Params, State>(
  model: LanguageModel<Config, Params, State>,
  task: FitTask,
  options: FitOptions<Config, Params>,
): AsyncGenerator<FitProgress<Params>, void> {
  checkModel(action, model);
  check(task, options);
  options.signal?.throwIfAborted();
  if (options.backend !== undefined) return yield* train(model, task, options, options.backend);
  // Creation may fail for lack of instructions, by a page's content policy, or because a file does not load.
  const backend = await createWasm().catch(() => createReference());
  let isCallers = false;
  try {
    for await (const progress of train(model, task, options, backend)) {
      isCallers = true;
      yield progress;
    }
  } finally {
    if (!isCallers) backend[Symbol.dispose]();
  }
}

/** {@linkcode fit} on a backend. */
async function* train<Config, Params, State>(
  model: LanguageModel<Config, Params, State>,
  task: FitTask,
  options: FitOptions<Config, Params>,
  backend: Backend,
): AsyncGenerator<FitProgress<Params>, void> {
  const { workers = 1 } = options;
  const run = await startRun(model, task, options, backend);
  const module = typeof options.module === "object" ? options.module.href : options.module;
  let pool: WorkerPool<Params> | null = null;
  // `using` would do the same, but Node.js 20 does not support it.
  try {
    if (workers > 1) pool = await startWorkers(workers, backend, model, module, run.params, options.worker);
  } catch (error) {
    freeRun(run, backend, options);
    throw error;
  }
  try {
    yield* takeSteps(model, task, options, backend, run, pool);
  } finally {
    pool?.[Symbol.dispose]();
  }
}

/** Frees a run that was never reported. */
function freeRun<Params>(run: Run<Params>, backend: Backend, options: FitOptions<unknown, Params>): void {
  backend.free(run.optimizer);
  freeParams(run.params, backend, options);
}

/** Frees parameters, except the tensors that the caller provided. */
function freeParams<Params>(
  params: Params,
  backend: Backend,
  { params: given }: FitOptions<unknown, Params>,
): void {
  const kept = new Set(tensorsOf(given));
  backend.free(tensorsOf(params).filter((t) => !kept.has(t)));
}

/** The steps of a training from its current state to its end. */
async function* takeSteps<Params, State>(
  model: LanguageModel<never, Params, State>,
  { train, test }: FitTask,
  options: FitOptions<unknown, Params>,
  backend: Backend,
  start: Run<Params>,
  pool: WorkerPool<Params> | null,
): AsyncGenerator<FitProgress<Params>, void> {
  const { signal } = options;
  const { settings } = start;
  let run = start;
  const lengths = train.map(({ length }) => length);
  const { epochs, batchSize, seed } = settings;
  const orderOf = (epoch: number) => batchOrder(lengths, batchSize, seed, epoch);
  const perEpoch = orderOf(0).length, steps = epochs * perEpoch;
  const first = run.optimizer.step;
  let order = orderOf(Math.floor(first / perEpoch));
  /** The last report, whose tensors the caller may use until the next one. */
  let reported: Run<Params> | null = null;
  let reports: { readonly loss: Promise<number>; readonly tokens: number }[] = [];
  let tokens = 0, training = 0, evaluating = 0, evaluations = 0;
  let begun = performance.now();
  using stepper = trainingStep(
    model,
    backend,
    options.hyper ?? {},
    settings.maxNorm,
    pool,
  );

  const { learningRate: peak, warmup, floor } = settings;
  try {
    for (let step = first; step < steps;) {
      signal?.throwIfAborted();
      const place = step % perEpoch, epoch = (step - place) / perEpoch;
      if (place === 0) {
        order = orderOf(epoch);
        run = { ...run, sum: { loss: 0, tokens: 0 } };
      }
      const batch = batchOf(train, order[place]);
      const learningRate = cosineDecay(step, steps, peak, { warmup, floor });
      const before = run;
      const { loss, params, optimizer } = await stepper.take(run, batch, learningRate, signal);
      run = { ...run, params, optimizer };
      if (before.params !== reported?.params) freeRun(before, backend, options);
      step++;
      const size = tokensOf(batch);
      reports.push({ loss: finite(loss, step), tokens: size });
      tokens += size;
      await reports[reports.length - stepsAhead]?.loss;

      const ended = step % perEpoch === 0;
      if (!ended && reports.length !== options.every) continue;
      const losses = await Promise.all(reports.map(({ loss }) => loss));
      const sum = { ...run.sum };
      losses.forEach((loss, i) => {
        sum.loss += loss * reports[i].tokens;
        sum.tokens += reports[i].tokens;
      });
      reports = [];
      const current = run = { ...run, sum };
      const trained = performance.now();
      training += trained - begun;
      let score: Evaluation | null = null;
      if (ended && test !== undefined) {
        score = await evaluate(model, params, test, { signal });
        evaluating += performance.now() - trained;
        evaluations++;
      }
      const left = (steps - step) * training / (step - first) +
        (evaluations && (epochs - epoch - 1) * evaluating / evaluations);
      if (reported !== null) freeRun(reported, backend, options);
      reported = current;
      yield {
        epoch: epoch + 1,
        epochs,
        step,
        steps,
        losses,
        trainLoss: sum.loss / sum.tokens,
        test: score,
        learningRate,
        tokensPerSecond: 1000 * tokens / training,
        secondsLeft: left / 1000,
        backend,
        params,
        optimizer,
        checkpoint: () => saveRun(current, model.name, train),
      };
      begun = performance.now();
    }
  } finally {
    if (run.params !== reported?.params) freeRun(run, backend, options);
  }
}

/** Checks that the loss of a step is finite. */
function finite(loss: Promise<number>, step: number): Promise<number> {
  const checked = loss.then((value) => {
    if (Number.isFinite(value)) return value;
    throw new RangeError(
      `Cannot ${action}: losses must be finite (a lower learningRate may help), current loss of step ${step} is ${value}`,
    );
  });
  // Whoever awaits the loss gets the error; without this, it would also be an unhandled rejection.
  checked.catch(() => {});
  return checked;
}

/** The training before the first step of this call. */
async function startRun<Config, Params, State>(
  model: LanguageModel<Config, Params, State>,
  { train }: FitTask,
  options: FitOptions<Config, Params>,
  backend: Backend,
): Promise<Run<Params>> {
  const { config, params: given, resume } = options;
  if (resume !== undefined) return loadRun(resume, model.name, train, options, backend);
  const settings = settingsOf(options);
  const initial = given ?? await initialize(model, config!, settings.seed, options.signal);
  const params = await put(initial, backend);
  // Once the backend has a copy, the initial values are no longer needed.
  if (given === undefined) {
    tensorsOf(initial).filter((t) => t.backend !== backend).forEach((t) => t.backend.free(t));
  }
  try {
    return { settings, params, optimizer: adamW.init(params), sum: { loss: 0, tokens: 0 } };
  } catch (error) {
    freeParams(params, backend, options);
    throw error;
  }
}

/** Draws initial values, with turns of the event loop in between if the model can draw them in parts. */
async function initialize<Config, Params>(
  model: Pick<LanguageModel<Config, Params, unknown>, "init" | "initInParts">,
  config: Config,
  seed: number,
  signal: AbortSignalLike | undefined,
): Promise<Params> {
  if (model.initInParts === undefined) return model.init(config, seed);
  for (const parts = model.initInParts(config, seed);;) {
    const { done, value } = parts.next();
    if (done) return value;
    await eventLoop.pause(signal);
  }
}

function check(task: FitTask, options: FitOptions<unknown, unknown>): void {
  checkNames(action, options, optionNames);
  if (options.hyper !== undefined) checkNames(action, options.hyper, hyperNames, "hyper");
  const { config, params, resume, backend, every, workers = 1, worker } = options;
  const starts = Object.entries({ config, params, resume }).filter(([, value]) => value !== undefined);
  if (starts.length !== 1) {
    throw new TypeError(
      `Cannot ${action}: exactly one of config, params and resume must be given, current ones are ${
        starts.map(([name]) => name).join(", ") || "none"
      }`,
    );
  }
  if (params !== undefined) backendOf(action, "params", params);
  if (backend !== undefined) checkBackend(action, backend);
  if (every !== undefined) checkInteger(action, "every", every, 1);
  checkInteger(action, "workers", workers, 1);
  if (worker !== undefined && typeof worker !== "function") {
    throw new TypeError(
      `Cannot ${action}: worker must be a function that starts one, current worker is ${show(worker)}`,
    );
  }
  checkSequences(action, "train", task?.train);
  if (task.test !== undefined) checkSequences(action, "test", task.test);
}
