/**
 * The data and the options of `fit`.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import type { Backend } from "../tensor.ts";
import type { AdamWHyper } from "./adam_w.ts";
import type { FitWorker } from "./fit_worker.ts";

/**
 * The data of a training: for a language model, lists of token ids, each of at least two tokens; for a loss, examples
 * of any kind.
 */
export interface FitTask<Example = ArrayLike<number>> {
  /** The examples to train on. */
  readonly train: readonly Example[];
  /**
   * The examples to evaluate on after each epoch, or as often as `validateEvery` says, which are never trained on.
   * Default: no evaluation.
   */
  readonly test?: readonly Example[] | undefined;
}

/** The options that language models and losses share. For a resumed training, the settings come from the checkpoint. */
export interface TrainingOptions<Params, Example, Metrics> {
  /** Parameters to start from. They are not changed. */
  readonly params?: Params | undefined;
  /** A checkpoint to resume from, instead. A run that has ended can be resumed with more `epochs`. */
  readonly resume?: Uint8Array | ArrayBuffer | undefined;
  /**
   * The seed of the initial values and of the order of batches, an integer from 0 to 2⁵³ - 1; default 0, a fixed
   * seed: the same call trains the same model.
   */
  readonly seed?: number | undefined;
  /**
   * The number of passes over the examples, including those before a resumption; default 50. A resumed run may have
   * more than before.
   */
  readonly epochs?: number | undefined;
  /**
   * The number of examples in a batch, B; default 32. The last batch may have fewer, as may batches of very different
   * lengths.
   */
  readonly batchSize?: number | undefined;
  /**
   * The number of batches in a step; default 1. The step has the mean gradient of all their tokens (or lengths), as
   * if they were one larger batch that does not fit into memory. The last step of an epoch may have fewer.
   */
  readonly accumulate?: number | undefined;
  /**
   * The highest learning rate, which then decreases along a cosine ({@linkcode cosineDecay}) over all steps; default
   * 1e-3. Each step has the rate that it has in a run of that many epochs from the start: a run that is resumed with
   * more epochs continues along the longer cosine, at a higher rate than it ended with.
   *
   * Or a function that gives the rate of each step, counted from 0, out of `steps`; a resumed training must be given
   * the same function again.
   */
  readonly learningRate?: number | ((step: number, steps: number) => number) | undefined;
  /**
   * The learning rate at the end; default 0. If it equals `learningRate`, the rate is constant. Not with a function.
   */
  readonly floor?: number | undefined;
  /** The number of warm-up steps in which the learning rate first rises; default 0. Not with a function. */
  readonly warmup?: number | undefined;
  /** The norm that gradients are clipped to; default 1. */
  readonly maxNorm?: number | undefined;
  /**
   * Other hyperparameters of the optimiser, {@linkcode adamW}; its `rateFactor` scales the schedule's rate. In
   * trainings of a few hundred steps, a smaller `beta2` such as 0.95 often helps.
   */
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
   * The number of steps between two evaluations of the test examples, each with a report; the last step has one, too.
   * Default: one at the end of each epoch.
   */
  readonly validateEvery?: number | undefined;
  /**
   * Measures anything else on the test examples, whenever they are evaluated. The result is `metrics` in the report.
   * It must not free the parameters.
   */
  readonly metrics?:
    | ((params: Params, examples: readonly Example[]) => Metrics | Promise<Metrics>)
    | undefined;
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
   * For a loss, or a model that is not the library's: the URL of a module that exports it, for the workers. The module
   * must not be the program's main one, which the workers would run again. Bundlers leave no such module; use `worker`
   * with `provideModels` or `provideLosses` instead.
   */
  readonly module?: string | { readonly href: string } | undefined;
  /** Aborts the training, also within a step or an evaluation, with the signal's reason as the error. */
  readonly signal?: AbortSignalLike | undefined;
}

/** How a language model is trained. Exactly one of `config`, `params` and `resume` is required. */
export interface FitOptions<Config, Params, Metrics = unknown>
  extends TrainingOptions<Params, ArrayLike<number>, Metrics> {
  /** The sizes of a model that starts from its initial values. */
  readonly config?: Config | undefined;
  /**
   * Whether each batch continues from the state that the batch before it has ended with, so that a model learns from
   * texts longer than the sequences (truncated backpropagation through time): gradients do not pass from batch to
   * batch, states do. Default false: every sequence starts from the initial state.
   *
   * Batches are then not shuffled: the first batch is the first `batchSize` sequences, and sequence `i` continues
   * sequence `i - batchSize`, whose last id it begins with. All sequences of a batch have one length, and their number
   * is a multiple of `batchSize`. An epoch begins with the initial state. The state of a Transformer is a cache of all
   * tokens of the epoch so far. Not with workers.
   *
   * @example A text in four rows, cut into windows of 64 predictions
   * ```ts
   * import { fit, lstmModel } from "@seqmix/seqmix";
   *
   * const text = new TextEncoder().encode("To be, or not to be, that is the question. ".repeat(50));
   * const batchSize = 4, length = 64, perRow = Math.floor((text.length - 1) / batchSize), train: Uint8Array[] = [];
   * for (let start = 0; start < perRow; start += length) {
   *   const end = Math.min(start + length, perRow);
   *   for (let row = 0; row < batchSize; row++) {
   *     train.push(text.subarray(row * perRow + start, row * perRow + end + 1));
   *   }
   * }
   * const config = { vocabulary: 128, layers: 1, channels: 16 };
   * for await (const at of fit(lstmModel, { train }, { config, batchSize, carryState: true, epochs: 2 })) {
   *   console.log(at.epoch, at.trainLoss);
   * }
   * ```
   */
  readonly carryState?: boolean | undefined;
}

/** How a loss is trained. Exactly one of `params` and `resume` is required. */
export interface FitLossOptions<Params, Example, Metrics = unknown, Collated = Example>
  extends TrainingOptions<Params, Example, Metrics> {
  /**
   * Turns the examples of a batch, or of a part of one, into a tree of numbers, lists of numbers of one length, lists
   * of such lists and so on, each of which becomes a tensor, in single precision on most backends; texts, booleans and
   * null are passed on unchanged. `length` is the largest length of the examples in the batch, or a little more; lists
   * that are padded to it have few different shapes, so that few have to be compiled.
   *
   * Default: the examples are stacked. Numbers become a tensor `[B]`, lists of n numbers `[B, n]`, and of objects each
   * field by itself.
   */
  readonly collate?: ((examples: Example[], length: number) => Collated) | undefined;
  /**
   * The length of an example, an integer of at least 1. Examples of similar length are batched. Default: the `length` of an
   * example that is a list, else 1.
   */
  readonly lengthOf?: ((example: Example) => number) | undefined;
  /**
   * The number of terms that an example contributes to the mean, an integer of at least 1. Where a batch is divided, the
   * means of its parts are weighted by the sums of their examples' weights. Default: the length, as for a mean over
   * tokens. For a mean over sequences, as of a classifier: `() => 1`.
   */
  readonly weightOf?: ((example: Example) => number) | undefined;
  /** For workers: the name of the loss among the exports of `module`, or in `provideLosses`; default `"default"`. */
  readonly lossName?: string | undefined;
}
