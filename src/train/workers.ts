/**
 * Gradients computed by several workers in parallel, each with a part of the batch and a backend of its own. The first
 * worker is the caller's thread, which would otherwise sleep, and wake up late. Parameters and gradients are in shared
 * memory if the runtime supports it; otherwise they are copied with each message.
 *
 * @module
 */
import { createReference } from "../backends/reference/mod.ts";
import { show } from "../check.ts";
import { engineOf } from "../engine.ts";
import { saveTree } from "../checkpoint/mod.ts";
import { type AbortSignalLike, unlessAborted } from "../abort.ts";
import type { Batch as TokenBatch } from "../models/batches.ts";
import type { Backend, Floats } from "../tensor.ts";
import { put } from "../transfer.ts";
import { parameterCount, tensorsOf } from "../tree.ts";
import { partGradient, raveledGradient } from "./batch_gradient.ts";
import type { FitWorker } from "./fit_worker.ts";
import { fits, hasResult, type Mailbox, mustWake, openMailbox, postJob } from "./mailbox.ts";
import type { Objective, Source } from "./objective.ts";
import { importing } from "./provided.ts";
import { addTo, floatsConstructorOf, ownNumbers, ravel, sharedNumbers } from "./ravel.ts";
import { listenTo, startWorker } from "./start_worker.ts";

/** The first message to a worker. */
export interface Start {
  /** Its index, and the number of workers. */
  readonly index: number;
  readonly workers: number;
  /** The name and the options of the backend to create. */
  readonly backend: string;
  readonly options: unknown;
  /** What is trained. */
  readonly source: Source;
  /**
   * The URL of the module that exports it; undefined for the library's models, and for what `provideModels` or
   * `provideLosses` provide.
   */
  readonly module: string | undefined;
  /** Parameters of the model's form, as a saved tree. */
  readonly form: Uint8Array;
}

/** The message that wakes a worker: there is a job in the mailbox. */
export interface Notice {
  readonly mailbox: Mailbox;
}

/** The message for each batch if there is no mailbox. */
export interface Request {
  /** The raveled parameters, in shared memory where there is any. */
  readonly params: Floats;
  readonly part: { readonly share: number };
}

/**
 * The message from a worker when it has started, for each request, and to wake the caller. Results in a mailbox are
 * not sent: `result` is then null.
 */
export type Reply = { readonly result: WorkerGradient | null } | { readonly error: string };

/** The gradient of a part of a batch. */
interface WorkerGradient {
  /** The index of the worker that has computed it. */
  readonly worker: number;
  /** Its share of the batch's mean loss. */
  readonly loss: number;
  /** The raveled gradients of that. */
  readonly grads: Floats;
}

/** Workers that have started. After an error they can only be terminated. */
export interface WorkerPool<Params, Batch> {
  /**
   * The mean loss of a batch and its raveled gradients, summed over its parts in the order of the workers. The next
   * call overwrites them. The event loop of the caller's thread turns meanwhile.
   */
  gradient(
    params: Params,
    batch: Batch,
    signal?: AbortSignalLike,
  ): Promise<{ loss: number; grads: Floats }>;
  /** Terminates the workers. */
  [Symbol.dispose](): void;
}

/**
 * Starts workers for an objective, in addition to the caller's thread.
 *
 * @param count the number of workers including the caller's thread, at least 2
 * @param backend the caller's backend; each worker creates one like it
 * @param objective the caller's; each worker creates its own from the objective's source
 * @param module the URL of the module that exports the model or the loss, unless it is the library's or provided
 * @param form parameters of the objective's form
 * @param start starts one worker; default: with the library's own script
 * @param signal ends the wait for workers that do not reply, with its reason as the error
 * @throws {TypeError} if the runtime has no workers, or they could not find what to train
 * @throws {RangeError} if there is no memory for the raveled parameters
 */
export async function startWorkers<Params, Batch>(
  count: number,
  backend: Backend,
  objective: Objective<Params, Batch, unknown>,
  module: string | undefined,
  form: Params,
  start?: () => FitWorker,
  signal?: AbortSignalLike,
): Promise<WorkerPool<Params, Batch>> {
  const { source } = objective;
  if (importing.module !== undefined) {
    throw new TypeError(
      "Cannot start workers: module must not be the program's main one, which workers run again, current module is " +
        importing.module,
    );
  }
  if (module === undefined && start === undefined) checkIsKnown(source);
  const Numbers = await floatsConstructorOf(tensorsOf(form)[0]), size = parameterCount(form);
  const raveled = sharedNumbers(Numbers, size) ?? ownNumbers(Numbers, size);
  const others: FitWorker[] = [];
  const end = () => others.forEach((worker) => worker.terminate());
  let nextReply: () => Promise<WorkerGradient | null>;
  try {
    while (others.length < count - 1) others.push(checked((start ?? startWorker)()));
    nextReply = listen(others);
    const saved = saveTree(await put(form, createReference()));
    others.forEach((worker, i) =>
      worker.postMessage(
        {
          index: i + 1,
          workers: count,
          backend: backend.name,
          options: engineOf(backend).options,
          source,
          module,
          form: saved,
        } satisfies Start,
      )
    );
    for (let ready = 0; ready < others.length; ready++) await unlessAborted(nextReply(), signal);
  } catch (error) {
    end();
    throw error;
  }
  const own = partGradient(objective);
  let number = 0, mailbox: Mailbox | undefined, numbers: Floats | undefined;
  return {
    async gradient(params, batch, signal) {
      await ravel(params, raveled);
      const parts = objective.split(batch, count), current = ++number;
      if (objective.usesMailbox) {
        const tokens = batch as unknown as TokenBatch;
        if (mailbox === undefined || !fits(mailbox, tokens)) mailbox = openMailbox(count, raveled, tokens);
        if (mailbox) postJob(mailbox, current, tokens);
      }
      const shared = mailbox;
      // The other workers start before this thread computes its part.
      for (let worker = 1; worker < parts.length; worker++) {
        if (shared && !mustWake(shared, worker)) continue;
        const message: Notice | Request = shared
          ? { mailbox: shared }
          : { params: raveled, part: objective.messageOf(parts[worker], params, backend) };
        others[worker - 1].postMessage(message);
      }

      const results: WorkerGradient[] = [];
      // The gradients of the first worker become the sum.
      const sum = shared?.grads[0] ?? (numbers ??= ownNumbers(Numbers, size));
      let { loss } = await raveledGradient(own, params, parts[0], backend, sum, signal);
      for (let worker = 1; worker < parts.length; worker++) {
        while (results[worker] === undefined && !(shared && hasResult(shared, worker, current))) {
          const result = await nextReply();
          if (result !== null) results[result.worker] = result;
        }
        const result = results[worker] ?? { loss: shared!.losses[worker], grads: shared!.grads[worker] };
        loss += result.loss;
        addTo(sum, result.grads);
      }
      return { loss, grads: sum };
    },
    [Symbol.dispose]() {
      end();
      own[Symbol.dispose]();
    },
  };
}

/** Checks that workers can find what is trained without a module and a script of the caller's. */
function checkIsKnown(source: Source): void {
  if (source.kind === "loss") {
    throw new TypeError(
      "Cannot start workers: a loss must come with the module that exports it, or with workers that are provided with " +
        "it, current one is without module and worker",
    );
  }
  if (source.isLibraryModel) return;
  throw new TypeError(
    `Cannot start workers: a model that is not one of the library's must come with the module that exports it, or with ` +
      `workers that are provided with it, current model is ${show(source.name)} without module and worker`,
  );
}

/** A function that awaits the next reply of any worker; it rejects from the first error on. */
function listen(workers: readonly FitWorker[]): () => Promise<WorkerGradient | null> {
  const results: (WorkerGradient | null)[] = [];
  let failure: Error | undefined, wake = () => {};
  const error = (message: string) => {
    failure ??= new Error(`Cannot train in worker: ${message}`);
    wake();
  };
  const message = (data: unknown) => {
    const reply = data as Reply;
    if ("error" in reply) return error(reply.error);
    results.push(reply.result);
    wake();
  };
  workers.forEach((worker) => listenTo(worker, { message, error }));
  return async () => {
    while (results.length === 0 && failure === undefined) {
      await new Promise<void>((resolve) => wake = resolve);
    }
    if (failure !== undefined) throw failure;
    return results.shift()!;
  };
}

/** Checks that the option `worker` of `fit` returned a worker. */
function checked(worker: FitWorker): FitWorker {
  if (typeof worker?.postMessage === "function" && typeof worker.terminate === "function") return worker;
  throw new TypeError(`Cannot start workers: worker must give a Worker, current value is ${show(worker)}`);
}
