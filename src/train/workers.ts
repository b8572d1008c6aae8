/**
 * Gradients made by several workers at once, each with a part of the batch and a backend of its own. The first of them is
 * the caller's thread, which would else wait, and be slow to come back. Parameters and gradients stand in shared memory
 * where the runtime has it; elsewhere they are copied with each message.
 *
 * @module
 */
import { createReference } from "../backends/reference/mod.ts";
import { show } from "../check.ts";
import { engineOf } from "../engine.ts";
import { saveTree } from "../checkpoint/mod.ts";
import type { AbortSignalLike } from "../abort.ts";
import type { Batch } from "../models/batches.ts";
import type { LanguageModel } from "../models/language_model.ts";
import type { Backend, Floats } from "../tensor.ts";
import { put } from "../transfer.ts";
import { parameterCount, tensorsOf } from "../tree.ts";
import { flatGradient, partGradient } from "./batch_gradient.ts";
import { type Part, splitBatch } from "./batches.ts";
import { type Board, fits, isAnswered, isToBeWoken, openBoard, putQuestion } from "./board.ts";
import { kindOf, ownNumbers, sharedNumbers, toFlat } from "./flat.ts";
import { ownModels } from "./own_models.ts";
import type { FitWorker } from "./fit_worker.ts";
import { listenTo, startWorker } from "./start_worker.ts";

/** What a worker is told first. */
export interface Start {
  /** Which of the workers it is, and of how many. */
  readonly index: number;
  readonly workers: number;
  /** Which backend it is to make, and how. */
  readonly backend: string;
  readonly options: unknown;
  /** The model's name. */
  readonly model: string;
  /** Whether it is one of the library's. */
  readonly isOwn: boolean;
  /** The module that exports it; none: it is one of the library's, or the worker was provided with it. */
  readonly module: string | undefined;
  /** The parameters' form, as a saved tree. */
  readonly form: Uint8Array;
}

/** What it is told for a batch if it sleeps: that it is on a board. */
export interface Notice {
  readonly board: Board;
}

/** What it is told for each batch where no memory is shared. */
export interface Request {
  /** The parameters, flat. */
  readonly params: Floats;
  readonly part: Part;
}

/** What it answers to the start, to each request, and to wake the caller; what is on a board is not sent. */
export type Answer = { readonly found: WorkerGradient | null } | { readonly error: string };

/** The gradient of a part of a batch. */
export interface WorkerGradient {
  /** Whose part it is. */
  readonly worker: number;
  /** Its share of the batch's mean loss. */
  readonly loss: number;
  /** The gradients of that, flat. */
  readonly grads: Floats;
}

/** Workers that are ready for batches; after an error they can only be ended. */
export interface WorkerPool<Params> {
  /**
   * The mean loss of a batch and its gradients, flat: those of its parts added up in the workers' order. The next call
   * writes over them. On the caller's thread the event loop turns.
   */
  gradient(
    params: Params,
    batch: Batch,
    signal?: AbortSignalLike,
  ): Promise<{ loss: number; grads: Floats }>;
  /** Ends the workers. */
  [Symbol.dispose](): void;
}

/**
 * Starts workers for a model, one less than `count`.
 *
 * @param count at least 2
 * @param backend the caller's; the others are made like it
 * @param model the caller's; the others find theirs by its name
 * @param module the URL of the module that exports it; none: it is one of the library's, or `start` starts workers that have it
 * @param form parameters of the model's form
 * @param start the caller's way to start one; none: the library's
 * @throws {TypeError} where there are no workers, or the others could not find the model
 * @throws {RangeError} where there is no room for the parameters side by side
 */
export async function startWorkers<Params>(
  count: number,
  backend: Backend,
  model: LanguageModel<never, Params, unknown>,
  module: string | undefined,
  form: Params,
  start?: () => FitWorker,
): Promise<WorkerPool<Params>> {
  const isOwn = ownModels.includes(model as LanguageModel<never, unknown, unknown>);
  if (!isOwn && module === undefined && start === undefined) {
    throw new TypeError(
      `Cannot start workers: a model that is not one of the library's must come with the module that exports it, or with ` +
        `workers that are provided with it, current model is ${show(model.name)} without module and worker`,
    );
  }
  const Numbers = await kindOf(tensorsOf(form)[0]), size = parameterCount(form);
  const flat = sharedNumbers(Numbers, size) ?? ownNumbers(Numbers, size);
  const others: FitWorker[] = [];
  const end = () => others.forEach((worker) => worker.terminate());
  let nextAnswer: () => Promise<WorkerGradient | null>;
  try {
    while (others.length < count - 1) others.push(checked((start ?? startWorker)()));
    nextAnswer = listen(others);
    const saved = saveTree(await put(form, createReference()));
    others.forEach((worker, i) =>
      worker.postMessage(
        {
          index: i + 1,
          workers: count,
          backend: backend.name,
          options: engineOf(backend).options,
          model: model.name,
          isOwn,
          module,
          form: saved,
        } satisfies Start,
      )
    );
    for (let ready = 0; ready < others.length; ready++) await nextAnswer();
  } catch (error) {
    end();
    throw error;
  }
  const own = partGradient(model);
  let number = 0, board: Board | undefined;
  return {
    async gradient(params, batch, signal) {
      await toFlat(params, flat);
      const parts = splitBatch(batch, count), current = ++number;
      if (board === undefined || !fits(board, batch)) board = openBoard(count, flat, batch);
      const shared = board;
      if (shared) putQuestion(shared, current, batch);
      // They begin before this thread does.
      for (let worker = 1; worker < parts.length; worker++) {
        if (shared && !isToBeWoken(shared, worker)) continue;
        const message: Notice | Request = shared ? { board: shared } : { params: flat, part: parts[worker] };
        others[worker - 1].postMessage(message);
      }

      const found: WorkerGradient[] = [];
      // The first worker's become the sum.
      const sum = shared?.grads[0] ?? ownNumbers(Numbers, size);
      let { loss } = await flatGradient(own, params, parts[0], backend, sum, signal);
      for (let worker = 1; worker < parts.length; worker++) {
        while (found[worker] === undefined && !(shared && isAnswered(shared, worker, current))) {
          const answer = await nextAnswer();
          if (answer !== null) found[answer.worker] = answer;
        }
        const answer = found[worker] ?? { loss: shared!.losses[worker], grads: shared!.grads[worker] };
        loss += answer.loss;
        addTo(sum, answer.grads);
      }
      return { loss, grads: sum };
    },
    [Symbol.dispose]() {
      end();
      own[Symbol.dispose]();
    },
  };
}

/** sum += x */
function addTo(sum: Floats, x: Floats): void {
  for (let i = 0; i < sum.length; i++) sum[i] += x[i];
}

/** What gives the workers' answers, in the order in which they come; rejects from the first error on. */
function listen(workers: readonly FitWorker[]): () => Promise<WorkerGradient | null> {
  const answers: (WorkerGradient | null)[] = [];
  let failure: Error | undefined, heard = () => {};
  const error = (message: string) => {
    failure ??= new Error(`Cannot train in worker: ${message}`);
    heard();
  };
  const message = (data: unknown) => {
    const answer = data as Answer;
    if ("error" in answer) return error(answer.error);
    answers.push(answer.found);
    heard();
  };
  workers.forEach((worker) => listenTo(worker, { message, error }));
  return async () => {
    while (answers.length === 0 && failure === undefined) {
      await new Promise<void>((resolve) => heard = resolve);
    }
    if (failure !== undefined) throw failure;
    return answers.shift()!;
  };
}

/** What the option `worker` of `fit` gave, which must be one. */
function checked(worker: FitWorker): FitWorker {
  if (typeof worker?.postMessage === "function" && typeof worker.terminate === "function") return worker;
  throw new TypeError(`Cannot start workers: worker must give a Worker, current value is ${show(worker)}`);
}
