/**
 * Gradients made by several workers at once, each with a part of the batch and a backend of its own. The first of them is
 * the caller's thread, which would else wait, and be slow to come back. Parameters and gradients stand in shared memory
 * where the runtime has it; elsewhere they are copied with each message.
 *
 * @module
 */
import { createReference } from "../backends/reference/mod.ts";
import { show } from "../check.ts";
import { saveTree } from "../checkpoint/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import type { Backend } from "../tensor.ts";
import { put } from "../transfer.ts";
import { parameterCount } from "../tree.ts";
import { flatGradient } from "./batch_gradient.ts";
import { type Batch, splitBatch } from "./batches.ts";
import { sharedNumbers, toFlat } from "./flat.ts";
import { fits, isAnswered, type Mailbox, openMailbox, putQuestion } from "./mailbox.ts";
import { ownModels } from "./own_models.ts";

/** What a worker is told first. */
export interface Start {
  /** Which backend it is to make. */
  readonly backend: string;
  /** The model's name. */
  readonly model: string;
  /** The module that exports it; none: it is one of the library's. */
  readonly module: string | undefined;
  /** The parameters' form, as a saved tree. */
  readonly form: Uint8Array;
}

/** What it is told for each batch. */
export interface Request {
  /** From 1 on. */
  readonly number: number;
  /** The parameters, flat. */
  readonly params: Float32Array;
  /** Its part of the batch. */
  readonly batch: Batch;
  /** Where the same stands, and where the answer goes; none: no memory is shared. */
  readonly mailbox: Mailbox | undefined;
}

/** What it answers: to the start, as if that were question 0, and to each batch. */
export type Answer = { readonly number: number; readonly gradient?: PartGradient } | {
  readonly error: string;
};

/** The gradient of a part of a batch. */
interface PartGradient {
  /** The mean loss over it. */
  readonly loss: number;
  /** The gradients of that, flat. */
  readonly grads: Float32Array;
}

/** Workers that are ready for batches. */
export interface WorkerPool<Params> {
  /**
   * The mean loss of a batch and its gradients, flat: the workers' averaged in their order, by their sequences. The next
   * call writes over them.
   */
  gradient(params: Params, batch: Batch): Promise<{ loss: number; grads: Float32Array }>;
  /** Ends the workers. */
  [Symbol.dispose](): void;
}

/**
 * Starts workers for a model, one less than `count`.
 *
 * @param count at least 2
 * @param backend the caller's; the others are of its kind
 * @param model the caller's; the others find theirs by its name
 * @param module the URL of the module that exports it; none: it is one of the library's
 * @param form parameters of the model's form
 * @throws {TypeError} where there are no workers, or the others could not find the model
 */
export async function startWorkers<Params>(
  count: number,
  backend: Backend,
  model: LanguageModel<never, Params, unknown>,
  module: string | undefined,
  form: Params,
): Promise<WorkerPool<Params>> {
  // Node's Worker, which some packages put in the place of the web's, would never answer.
  if (typeof Worker === "undefined" || !(Worker.prototype instanceof EventTarget)) {
    throw new TypeError(
      `Cannot start workers: the runtime must have the web's Worker, current runtime has ${
        typeof Worker === "undefined" ? "none" : "another"
      }`,
    );
  }
  if (module === undefined && !ownModels.includes(model as LanguageModel<never, unknown, unknown>)) {
    throw new TypeError(
      `Cannot start workers: a model that is not one of the library's must come with the module that exports it, current ` +
        `model is ${show(model.name)} without module`,
    );
  }
  const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
  const others = Array.from({ length: count - 1 }, () => new Worker(url, { type: "module" }));
  const end = () => others.forEach((worker) => worker.terminate());
  try {
    const host = await put(form, createReference());
    const start = { backend: backend.name, model: model.name, module, form: saveTree(host) };
    await Promise.all(others.map((worker) => {
      const ready = hear(worker, 0);
      worker.postMessage(start);
      return ready;
    }));
  } catch (error) {
    end();
    throw error;
  }
  const size = parameterCount(form), mean = new Float32Array(size);
  const flat = sharedNumbers(size) ?? new Float32Array(size);
  const own = new Float32Array(size), asks = others.map((worker) => askOf(worker, flat));
  return {
    async gradient(params, batch) {
      await toFlat(params, flat);
      const parts = splitBatch(batch, count);
      const [first, ...rest] = parts;
      // They begin before this thread does.
      const hearings = rest.map((part, i) => asks[i](part));
      const answers = [await flatGradient(model, params, first, backend, own)];
      for (const hearing of hearings) answers.push(await hearing());
      let loss = 0;
      mean.fill(0);
      answers.forEach((answer, i) => {
        const share = parts[i].inputs.length / batch.inputs.length;
        loss += share * answer.loss;
        addScaled(mean, share, answer.grads);
      });
      return { loss, grads: mean };
    },
    [Symbol.dispose]: end,
  };
}

/** sum += factor · x */
function addScaled(sum: Float32Array, factor: number, x: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] += factor * x[i];
}

/** How a worker is asked, one question at a time: begins with a part of a batch, and gives who waits for the answer. */
function askOf(worker: Worker, params: Float32Array): (batch: Batch) => () => Promise<PartGradient> {
  let number = 0, mailbox: Mailbox | undefined;
  return (batch) => {
    const current = ++number;
    if (mailbox === undefined || !fits(mailbox, batch)) mailbox = openMailbox(params, batch);
    const box = mailbox;
    const message = hear(worker, current);
    // Nobody waits for it where the answer is found sooner.
    message.catch(() => {});
    if (box !== undefined) putQuestion(box, current, batch);
    worker.postMessage({ number: current, params, batch, mailbox: box });
    return async () => {
      if (box !== undefined && isAnswered(box, current)) return { loss: box.loss[0], grads: box.grads };
      const gradient = await message;
      if (gradient === undefined) throw new Error("a worker answered without a gradient");
      return gradient;
    };
  };
}

/** A worker's answer to the question of a number, as a message; to 0 there is no gradient. */
function hear(worker: Worker, number: number): Promise<PartGradient | undefined> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("error" in data) reject(new Error(`Cannot train in worker: ${data.error}`));
      // That to the question before was found in shared memory, and comes late.
      else if (data.number === number) resolve(data.gradient);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot train in worker: ${event.message}`));
    };
  });
}
