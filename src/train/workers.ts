/**
 * Gradients made by several workers at once, each with parts of the batch and a backend of its own. The first of them is
 * the caller's thread, which would else wait, and be slow to come back. Parameters and gradients stand in shared memory
 * where the runtime has it; elsewhere they are copied with each message.
 *
 * @module
 */
import { createReference } from "../backends/reference/mod.ts";
import { show } from "../check.ts";
import { saveTree } from "../checkpoint/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import type { Backend, Floats } from "../tensor.ts";
import { put } from "../transfer.ts";
import { parameterCount, tensorsOf } from "../tree.ts";
import { flatGradient } from "./batch_gradient.ts";
import { type Batch, splitBatch } from "./batches.ts";
import { type Board, dealParts, drawParts, fits, isAnswered, openBoard, putQuestion } from "./board.ts";
import { kindOf, sharedNumbers, toFlat } from "./flat.ts";
import { ownModels } from "./own_models.ts";

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
  /** The module that exports it; none: it is one of the library's. */
  readonly module: string | undefined;
  /** The parameters' form, as a saved tree. */
  readonly form: Uint8Array;
}

/** What it is told for each batch: that it is on a board. */
export interface Notice {
  /** The question's, from 1 on. */
  readonly number: number;
  readonly board: Board;
}

/** What it is told where no memory is shared. */
export interface Request {
  readonly number: number;
  /** The parameters, flat. */
  readonly params: Floats;
  /** The whole of it. */
  readonly batch: Batch;
}

/** What it answers: to the start, as if that were question 0, and to each batch; what is on a board is not sent. */
export type Answer = { readonly number: number; readonly parts: readonly PartGradient[] } | {
  readonly error: string;
};

/** The gradient of a part of a batch. */
export interface PartGradient {
  readonly part: number;
  /** Its share of the batch's mean loss. */
  readonly loss: number;
  /** The gradients of that, flat. */
  readonly grads: Floats;
}

/** Workers that are ready for batches; after an error they can only be ended. */
export interface WorkerPool<Params> {
  /**
   * The mean loss of a batch and its gradients, flat: those of its parts added up in their order, whoever made them. The
   * next call writes over them.
   */
  gradient(params: Params, batch: Batch): Promise<{ loss: number; grads: Floats }>;
  /** Ends the workers. */
  [Symbol.dispose](): void;
}

/**
 * Starts workers for a model, one less than `count`.
 *
 * @param count at least 2
 * @param backend the caller's; the others are made like it
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
  const Numbers = await kindOf(tensorsOf(form)[0]), size = parameterCount(form);
  const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
  const others = Array.from({ length: count - 1 }, () => new Worker(url, { type: "module" }));
  const end = () => others.forEach((worker) => worker.terminate());
  try {
    const saved = saveTree(await put(form, createReference()));
    await Promise.all(others.map((worker, i) => {
      const start: Start = {
        index: i + 1,
        workers: count,
        backend: backend.name,
        options: backend.options,
        model: model.name,
        module,
        form: saved,
      };
      const ready = hear(worker, 0);
      worker.postMessage(start);
      return ready;
    }));
  } catch (error) {
    end();
    throw error;
  }
  const flat = sharedNumbers(Numbers, size) ?? new Numbers(size), mean = new Numbers(size);
  let number = 0, board: Board | undefined;
  return {
    async gradient(params, batch) {
      await toFlat(params, flat);
      const parts = splitBatch(batch, count), current = ++number;
      if (board === undefined || !fits(board, batch)) board = openBoard(count, flat, batch);
      const shared = board;
      const first = shared && putQuestion(shared, current, batch);
      // They begin before this thread does.
      const told = Promise.all(
        others.slice(0, parts.length - 1).map((worker) => {
          const answer = hear(worker, current);
          worker.postMessage(
            shared
              ? { number: current, board: shared } satisfies Notice
              : { number: current, params: flat, batch } satisfies Request,
          );
          return answer;
        }),
      );
      // Nobody waits for it where all answers are found sooner.
      told.catch(() => {});

      const found: PartGradient[] = [];
      const own = shared ? drawParts(shared, first!, 0, parts.length) : dealParts(0, count, parts.length);
      for (const part of own) {
        const room = shared?.grads[part] ?? new Numbers(size);
        found[part] = { part, ...await flatGradient(model, params, parts[part], backend, room) };
      }
      let loss = 0;
      mean.fill(0);
      for (const part of parts.keys()) {
        if (found[part] === undefined && !(shared && isAnswered(shared, current, part))) {
          for (const answer of (await told).flat()) found[answer.part] = answer;
        }
        const answer = found[part] ?? { loss: shared!.losses[part], grads: shared!.grads[part] };
        loss += answer.loss;
        addTo(mean, answer.grads);
      }
      return { loss, grads: mean };
    },
    [Symbol.dispose]: end,
  };
}

/** sum += x */
function addTo(sum: Floats, x: Floats): void {
  for (let i = 0; i < sum.length; i++) sum[i] += x[i];
}

/** A worker's answer to the question of a number. */
function hear(worker: Worker, number: number): Promise<readonly PartGradient[]> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("error" in data) reject(new Error(`Cannot train in worker: ${data.error}`));
      // That to the question before was found on the board, and comes late.
      else if (data.number === number) resolve(data.parts);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot train in worker: ${event.message}`));
    };
  });
}
