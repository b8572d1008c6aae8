/**
 * Training from the first step to the last, as a stream of progress.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { createReference } from "../backends/reference/mod.ts";
import { createWasm } from "../backends/wasm/mod.ts";
import { checkBackend, checkInteger, show } from "../check.ts";
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

/** What a model is trained and tested on: lists of ids of at least two tokens each. */
export interface FitTask {
  /** What it is trained on. */
  readonly train: readonly ArrayLike<number>[];
  /** What it is evaluated on after each epoch; never trained on. None: no evaluation. */
  readonly test?: readonly ArrayLike<number>[] | undefined;
}

/** How a model is trained. What a checkpoint settles comes from there where one is resumed. */
export interface FitOptions<Config, Params> {
  /** The sizes of a model that starts from its initial values. */
  readonly config?: Config | undefined;
  /** Parameters to start from, instead of initial values. They stay as they are. */
  readonly params?: Params | undefined;
  /** A checkpoint to go on from, instead of either: of a run that ended, too, with more `epochs`. */
  readonly resume?: Uint8Array | ArrayBuffer | undefined;
  /**
   * Of the initial values and of the batches' order, an integer from 0 to 2⁵³ - 1; default 0, a fixed seed: the same call
   * trains the same model.
   */
  readonly seed?: number | undefined;
  /** How often every sequence is trained on, before a resumption too; default 50. A resumed run may have more than it had. */
  readonly epochs?: number | undefined;
  /** Sequences in a batch, B; default 32. Fewer are in the last, and where lengths lie far apart. */
  readonly batchSize?: number | undefined;
  /**
   * The highest learning rate, from which it goes down along a cosine ({@linkcode cosineDecay}) over all steps; default 1e-3. Each
   * step has the rate that it has in a run of that many epochs from the start: a run that is resumed with more goes on
   * along the longer cosine, at a higher rate than it ended with.
   */
  readonly learningRate?: number | undefined;
  /** The learning rate at the end; default 0. As high as `learningRate`, it keeps that constant. */
  readonly floor?: number | undefined;
  /** Steps in which the learning rate rises first; default 0. */
  readonly warmup?: number | undefined;
  /** The norm that gradients are clipped to; default 1. */
  readonly maxNorm?: number | undefined;
  /** Other hyperparameters of the optimiser, {@linkcode adamW}, and its learning rate as parts of the schedule's. */
  readonly hyper?: Omit<AdamWHyper, "learningRate"> | undefined;
  /**
   * Where the parameters live and are trained; `params` from elsewhere are copied to it. Default: a WebAssembly backend of this
   * training's own, or where the runtime has none a reference, which is many times slower. That one is the caller's with
   * the first report (see `backend` there); a training that ends before it disposes of it.
   */
  readonly backend?: Backend | undefined;
  /** Steps between two reports of progress; default: one report at the end of each epoch. */
  readonly every?: number | undefined;
  /**
   * How many workers share each batch, in parts as equal as can be; default 1. More than `batchSize` are of no use. The
   * first is the caller's thread, which is busy with its part of a batch as it is with the whole of one. Each other has a
   * thread of its own, and a backend of its own, made like the caller's (Deno wants `--allow-read` for them where the
   * library is a local file).
   */
  readonly workers?: number | undefined;
  /**
   * Starts one of the other workers, with a script that imports `@seqmix/seqmix/worker`, where the library's own is not to
   * be found: `() => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" })`.
   */
  readonly worker?: (() => FitWorker) | undefined;
  /**
   * Where the model is not the library's own: the URL of a module that exports it, for the workers. After a bundler, which
   * leaves no such module, `worker` with `provideModels` takes its place.
   */
  readonly module?: string | { readonly href: string } | undefined;
  /** Ends the training, within a step or the evaluation too, with the signal's reason as an error. */
  readonly signal?: AbortSignalLike | undefined;
}

/** Where a training is. */
export interface FitProgress<Params> {
  /** The epoch of the last step, from 1. */
  readonly epoch: number;
  /** How many epochs there are. */
  readonly epochs: number;
  /** How many steps were taken. */
  readonly step: number;
  /** How many steps there are. */
  readonly steps: number;
  /** The losses of the steps since the last report: of each its batch's tokens' mean, in nats. */
  readonly losses: readonly number[];
  /** The mean loss of a token over the epoch so far, in nats. */
  readonly trainLoss: number;
  /** How well the test sequences are predicted; null but at the end of an epoch. */
  readonly test: Evaluation | null;
  /** The learning rate of the last step. */
  readonly learningRate: number;
  /** Tokens trained on a second, since the start or the resumption, evaluation left out. */
  readonly tokensPerSecond: number;
  /** How long the rest will take, evaluation included, if it goes on like this. */
  readonly secondsLeft: number;
  /**
   * What it is trained on (`backend.name` is `"wasm"`, say): the caller's, or where none was given one of the training's own,
   * which has `params` and `optimizer` in it. When those are of no more use, `backend[Symbol.dispose]()` frees all of it at once, and not before
   * the training has ended; one that nobody disposes of is collected with them.
   */
  readonly backend: Backend;
  /** The parameters, on the backend. The next report frees them; those of the last are the caller's, however training ends. */
  readonly params: Params;
  /** The optimiser's state, like `params`. */
  readonly optimizer: OptimizerState<Params>;
  /**
   * All that it takes to go on from here as bytes: with the same `hyper`, `workers` and kind of backend to the same losses,
   * bit for bit. Call it before the next report.
   */
  checkpoint(): Promise<Uint8Array>;
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
/** A device may be so many steps behind before it is waited for. */
const stepsAhead = 8;

/**
 * Trains a model to predict the next token: AdamW, a learning rate that goes down along a cosine, gradients clipped by their
 * norm. Sequences of about one length are batched together and padded at their ends to a common one: lengths are rounded up, to
 * four an octave at most, and a batch has fewer sequences where more than about a quarter of it would be padding (18% of 495
 * paragraphs of 328 lengths are, in 17 batches). That changes neither the loss, the mean over the tokens
 * that are there, nor its gradient, since no step of a model sees later ones. The batches are drawn anew each epoch, from the seed
 * alone, so that the same call gives the same losses. The event loop turns every 20 ms and one part of a batch later at most: where the caller's
 * thread computes, gradients are made for a few sequences at a time and added up.
 *
 * @param model which model
 * @param task what to train and test on
 * @param options how; of `config`, `params` and `resume` exactly one
 * @returns reports of progress; who leaves the loop ends the training
 * @throws {TypeError} (at the first step) on options or sequences that are none, an unknown option, or a checkpoint of another model or of
 *   other sequences
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
  // Whatever keeps WebAssembly from being had: its instructions, a policy of the page's, a file that does not load.
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
  // `using` says this in a word, but Node 20 does not know it.
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

/** Frees a run that nobody was given. */
function freeRun<Params>(run: Run<Params>, backend: Backend, options: FitOptions<unknown, Params>): void {
  backend.free(run.optimizer);
  freeParams(run.params, backend, options);
}

/** Frees parameters; tensors that were given stay the caller's. */
function freeParams<Params>(
  params: Params,
  backend: Backend,
  { params: given }: FitOptions<unknown, Params>,
): void {
  const kept = new Set(tensorsOf(given));
  backend.free(tensorsOf(params).filter((t) => !kept.has(t)));
}

/** The steps of a training from where it is to its end. */
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
  /** What the last report has is the caller's until the next. */
  let reported: Run<Params> | null = null;
  let reports: { readonly loss: Promise<number>; readonly tokens: number }[] = [];
  let tokens = 0, training = 0, evaluating = 0, evaluations = 0;
  let begun = performance.now();
  using taking = trainingStep(
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
      const { loss, params, optimizer } = await taking.take(run, batch, learningRate, signal);
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

/** The loss of a step, which must be a number to go on from. */
function finite(loss: Promise<number>, step: number): Promise<number> {
  const checked = loss.then((value) => {
    if (Number.isFinite(value)) return value;
    throw new RangeError(
      `Cannot ${action}: losses must be finite (a lower learningRate may help), current loss of step ${step} is ${value}`,
    );
  });
  // Whoever waits for the loss hears of an error; until then it is nobody's.
  checked.catch(() => {});
  return checked;
}

/** The training as it is before its first step here. */
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
  // Initial values of which the backend has a copy are of no more use.
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

/** Initial values, drawn with turns of the event loop in between where the model has them in parts. */
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
  checkSequences("train", task?.train);
  if (task.test !== undefined) checkSequences("test", task.test);
}

function checkSequences(name: string, sequences: readonly ArrayLike<number>[]): void {
  if (!Array.isArray(sequences) || sequences.length === 0) {
    throw new TypeError(
      `Cannot ${action}: ${name} must be a list of at least one sequence, current value is ${
        show(sequences)
      }`,
    );
  }
  const short = sequences.findIndex((sequence) => !(sequence?.length >= 2));
  if (short >= 0) {
    throw new TypeError(
      `Cannot ${action}: sequences must be lists of at least two ids, current ${name}[${short}] is ${
        show(sequences[short])
      }`,
    );
  }
}
