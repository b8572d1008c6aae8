/**
 * Training from the first step to the last, as a stream of progress reports.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { createReference } from "../backends/reference/mod.ts";
import { createWasm } from "../backends/wasm/mod.ts";
import { show } from "../check.ts";
import { eventLoop } from "../event_loop.ts";
import type { Evaluation } from "../models/evaluate.ts";
import { isModel, type LanguageModel } from "../models/language_model.ts";
import type { Backend } from "../tensor.ts";
import { put } from "../transfer.ts";
import { tensorsOf } from "../tree.ts";
import { adamW } from "./adam_w.ts";
import { checkLossOptions, checkModelOptions } from "./check_options.ts";
import type { Tensors } from "./collate.ts";
import type { FitLossOptions, FitOptions, FitTask, TrainingOptions } from "./fit_options.ts";
import type { FitProgress } from "./fit_progress.ts";
import { freeParams, freeRun, takeSteps } from "./fit_steps.ts";
import { languageObjective } from "./language_objective.ts";
import type { Loss, LossEvaluation } from "./loss.ts";
import { lossObjective } from "./loss_objective.ts";
import type { Objective } from "./objective.ts";
import { loadRun, type Run, type Settings, settingsOf } from "./run.ts";
import { startWorkers, type WorkerPool } from "./workers.ts";

const action = "fit";

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
 *
 * @example Early stopping: the loop ends when the loss on the test sequences has not decreased three times in a row
 * ```ts
 * import { fit, lstmModel, motifTask, presets, saveTree, trainAndTest } from "@seqmix/seqmix";
 *
 * const task = trainAndTest(motifTask({}, 1), { train: 64, test: 8, length: 32, seed: 2 });
 * let best = Infinity, failures = 0, file = new Uint8Array();
 * for await (const at of fit(lstmModel, task, { config: presets.matched.lstm, epochs: 4, validateEvery: 2 })) {
 *   if (at.test === null) continue;
 *   if (at.test.loss < best) {
 *     best = at.test.loss;
 *     failures = 0;
 *     file = saveTree(at.params);
 *   } else if (++failures === 3) break;
 * }
 * console.log(best, file.length);
 * ```
 */
export function fit<Config, Params, State, Metrics = unknown>(
  model: LanguageModel<Config, Params, State>,
  task: FitTask,
  options: FitOptions<Config, Params, Metrics>,
): AsyncGenerator<FitProgress<Params, Evaluation, Metrics>, void>;
/**
 * Trains any function: parameters that minimise the mean of a loss over examples of any kind. Optimiser, schedule,
 * reports, checkpoints and workers are the same as for a model.
 *
 * The examples are numbers, lists of numbers, or objects of these; of each batch the loss gets one tree of tensors, in
 * which they are stacked: examples `{ x: [1, 2], y: 3 }` become `{ x: [B, 2], y: [B] }`. For anything else (texts,
 * lists of several lengths), `collate` turns the examples of a batch into numbers. The loss is compiled
 * ({@linkcode compile}), so that what changes from batch to batch must be in the batch: anything that it closes over is
 * constant.
 *
 * Batches are drawn anew in each epoch, from the seed alone. They are divided, between workers and where a batch would
 * keep the event loop from turning, and the means of the parts are weighted by the lengths of their examples
 * (`lengthOf`), or by other weights (`weightOf`). The division changes nothing but rounding, provided that the loss is such a mean: without terms that
 * concern a batch as a whole, such as the statistics of a batch normalization.
 *
 * @param loss a pure function from parameters and a batch to the mean loss, a single number
 * @param task the examples to train and test on
 * @param options the settings; exactly one of `params` and `resume` is required
 * @returns reports of progress; leaving the loop ends the training
 * @throws {TypeError} (at the first step) on invalid options or examples, an unknown option, a checkpoint of other
 *   examples, or if the loss is not a single number that depends on the parameters by operations with gradients
 * @throws {RangeError} (at the first step) on numbers out of range, and at the step whose loss is NaN or infinite
 *
 * @example A line through points, by its mean squared error
 * ```ts
 * import { fit, linear, linearInit, meanSquaredError, read } from "@seqmix/seqmix";
 *
 * const train = Array.from({ length: 64 }, (_, i) => ({ x: [i / 64], y: [3 * i / 64 + 1] }));
 * const params = linearInit({ inputs: 1, outputs: 1, bias: true }, 1);
 * const reports = fit(
 *   ({ weight, bias }, { x, y }) => meanSquaredError(linear(x, weight, bias), y),
 *   { train },
 *   { params, epochs: 100, batchSize: 16, learningRate: 0.1 },
 * );
 * for await (const { params: { weight, bias } } of reports) {
 *   console.log(await read(weight), await read(bias!)); // about 3 and 1 at the end
 * }
 * ```
 */
export function fit<Params, Example, Metrics = unknown>(
  loss: Loss<Params, Tensors<NoInfer<Example>>>,
  task: FitTask<Example>,
  options: FitLossOptions<Params, Example, Metrics> & { readonly collate?: undefined },
): AsyncGenerator<FitProgress<Params, LossEvaluation, Metrics>, void>;
/**
 * The same with the option `collate`, from whose result the type of the loss's batch follows if the types of its
 * parameters are written down.
 *
 * @example Texts of different lengths, as ids that are padded with weights of 0
 * ```ts
 * import { crossEntropy, fit, lstmModel } from "@seqmix/seqmix";
 *
 * const train = ["a short text", "and a text that is a little longer", "a third one"];
 * const collate = (texts: readonly string[], length: number) => {
 *   const rows = texts.map((text) => [...new TextEncoder().encode(text)]);
 *   const cut = (row: number[], start: number) =>
 *     Array.from({ length }, (_, t) => row[Math.min(start + t, row.length - 1)]);
 *   return {
 *     inputs: rows.map((row) => cut(row, 0)),
 *     targets: rows.map((row) => cut(row, 1)),
 *     weights: rows.map((row) => Array.from({ length }, (_, t) => t < row.length - 1 ? 1 : 0)),
 *   };
 * };
 * const params = lstmModel.init({ vocabulary: 128, layers: 1, channels: 16 }, 1);
 * const reports = fit((params, { inputs, targets, weights }) => {
 *   const state = lstmModel.initialState(params, inputs.shape[0]);
 *   return crossEntropy(lstmModel.forward(params, inputs, state).logits, targets, weights);
 * }, { train }, { params, collate, lengthOf: (text) => text.length - 1, batchSize: 2, epochs: 2 });
 * for await (const at of reports) console.log(at.epoch, at.trainLoss);
 * ```
 */
// deno-lint-ignore no-explicit-any
export function fit<Params, Example, Collated = any, Metrics = unknown>(
  loss: Loss<Params, Tensors<NoInfer<Collated>>>,
  task: FitTask<Example>,
  options: FitLossOptions<Params, Example, Metrics, Collated> & {
    readonly collate: (examples: Example[], length: number) => Collated;
  },
): AsyncGenerator<FitProgress<Params, LossEvaluation, Metrics>, void>;
export function fit<Params>(
  trained: LanguageModel<unknown, Params, unknown> | Loss<Params, never>,
  task: FitTask,
  options: FitOptions<unknown, Params>,
): AsyncGenerator<FitProgress<Params, unknown>, void> {
  return typeof trained === "function" ? fitLoss(trained, task, options) : fitModel(trained, task, options);
}

async function* fitModel<Config, Params, State, Metrics>(
  model: LanguageModel<Config, Params, State>,
  task: FitTask,
  options: FitOptions<Config, Params, Metrics>,
): AsyncGenerator<FitProgress<Params, Evaluation, Metrics>, void> {
  if (!isModel(model)) {
    throw new TypeError(
      `Cannot ${action}: model must be a language model or a loss function, current value is ${show(model)}`,
    );
  }
  checkModelOptions(task, options);
  const { params, config, signal } = options;
  const objectiveOf = (settings: Settings) => languageObjective(model, task, settings);
  const initial = (seed: number) => params ?? initialize(model, config!, seed, signal);
  yield* fitOnBackend(objectiveOf, initial, task, options);
}

async function* fitLoss<Params, Example, Metrics>(
  loss: Loss<Params, never>,
  task: FitTask<Example>,
  options: FitLossOptions<Params, Example, Metrics, unknown>,
): AsyncGenerator<FitProgress<Params, LossEvaluation, Metrics>, void> {
  checkLossOptions(task, options);
  const objectiveOf = (settings: Settings) => lossObjective(loss, { ...task, ...options }, settings);
  yield* fitOnBackend(objectiveOf, () => options.params!, task, options);
}

/** Trains on the given backend, or on one of its own, which it disposes of if it was never reported. */
async function* fitOnBackend<Params, Example, Batch, Test, Metrics>(
  objectiveOf: (settings: Settings) => Objective<Params, Batch, Test>,
  initial: (seed: number) => Params | Promise<Params>,
  task: FitTask<Example>,
  options: TrainingOptions<Params, Example, Metrics>,
): AsyncGenerator<FitProgress<Params, Test, Metrics>, void> {
  options.signal?.throwIfAborted();
  if (options.backend !== undefined) {
    return yield* train(objectiveOf, initial, task, options, options.backend);
  }
  // Creation may fail for lack of instructions, by a page's content policy, or because a file does not load.
  const backend = await createWasm().catch(() => createReference());
  let isCallers = false;
  try {
    for await (const progress of train(objectiveOf, initial, task, options, backend)) {
      isCallers = true;
      yield progress;
    }
  } finally {
    if (!isCallers) backend[Symbol.dispose]();
  }
}

/** {@linkcode fit} on a backend. */
async function* train<Params, Example, Batch, Test, Metrics>(
  objectiveOf: (settings: Settings) => Objective<Params, Batch, Test>,
  initial: (seed: number) => Params | Promise<Params>,
  task: FitTask<Example>,
  options: TrainingOptions<Params, Example, Metrics>,
  backend: Backend,
): AsyncGenerator<FitProgress<Params, Test, Metrics>, void> {
  const { workers = 1, resume } = options;
  const { run, objective } = resume === undefined
    ? await startRun(objectiveOf, initial, options, backend)
    : loadRun<Params, Objective<Params, Batch, Test>>(resume, objectiveOf, options, backend);
  const module = typeof options.module === "string" ? options.module : options.module?.href;
  let pool: WorkerPool<Params, Batch> | null = null;
  // `using` would do the same, but Node.js 20 does not support it.
  try {
    if (run.settings.carryState && workers > 1) {
      throw new RangeError(
        `Cannot ${action}: workers must be 1 with carryState, current value is ${workers}`,
      );
    }
    if (workers > 1) {
      const { worker, signal } = options;
      pool = await startWorkers(workers, backend, objective, module, run.params, worker, signal);
    }
  } catch (error) {
    freeRun(run, backend, options.params);
    throw error;
  }
  try {
    yield* takeSteps(objective, task, options, backend, run, pool);
  } finally {
    pool?.[Symbol.dispose]();
  }
}

/** The training before its first step. */
async function startRun<Params, Example, O>(
  objectiveOf: (settings: Settings) => O,
  initial: (seed: number) => Params | Promise<Params>,
  options: TrainingOptions<Params, Example, unknown>,
  backend: Backend,
): Promise<{ run: Run<Params>; objective: O }> {
  const settings = settingsOf(options), { params: given } = options;
  const objective = objectiveOf(settings);
  const start = await initial(settings.seed);
  const params = await put(start, backend);
  // Once the backend has a copy, the initial values are no longer needed.
  if (given === undefined) {
    tensorsOf(start).filter((t) => t.backend !== backend).forEach((t) => t.backend.free(t));
  }
  try {
    const run = { settings, params, optimizer: adamW.init(params), state: null, sum: { loss: 0, tokens: 0 } };
    return { run, objective };
  } catch (error) {
    freeParams(params, backend, given);
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
