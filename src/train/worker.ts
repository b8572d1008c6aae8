/**
 * The script of a worker of `fit`, which starts it by itself wherever it can find it. Where it can't, or where a model of
 * one's own is trained, a module of one's own imports this one, and `fit` is told how to start that:
 *
 * ```ts ignore
 * // worker.ts
 * import { provideModels } from "@seqmix/seqmix/worker";
 * import { bigram } from "./bigram.ts";
 * provideModels(bigram);
 *
 * // main.ts
 * const worker = () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
 * for await (const at of fit(bigram, task, { config, workers: 2, worker })) console.log(at.trainLoss);
 * ```
 *
 * It is for workers alone: once imported it takes the messages of who started the thread.
 *
 * @module
 */
import { createReference, type ReferenceOptions } from "../backends/reference/mod.ts";
import { createWasm, type WasmOptions } from "../backends/wasm/mod.ts";
import { createWebGpu, type WebGpuOptions } from "../backends/webgpu/mod.ts";
import { show } from "../check.ts";
import { loadTree } from "../checkpoint/mod.ts";
import { isModel, type LanguageModel } from "../models/language_model.ts";
import type { Backend, Floats } from "../tensor.ts";
import { flatGradient, type PartGradient, partGradient } from "./batch_gradient.ts";
import { type Part, splitBatch } from "./batches.ts";
import { type Board, isToBeWoken, putAnswer, takeQuestion } from "./board.ts";
import { fromFlat, type Kind, ownNumbers } from "./flat.ts";
import { ownModels } from "./own_models.ts";
import { workerThreads } from "./worker_threads.ts";
import type { Answer, Notice, Request, Start } from "./workers.ts";

type Model = LanguageModel<never, unknown, unknown>;

/** What a worker hears its starter with: the web's global scope, or the port of a thread of Node's. */
interface Port {
  onmessage: ((event: MessageEvent<Start | Notice | Request>) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
}

const port = portToStarter();
/** The models that were provided, by their names. */
const provided = new Map<string, Model>();
let backend: Backend, gradient: PartGradient<unknown>, form: unknown, index: number, workers: number;
/** The number of the last question that was begun. */
let last = 0;
/** A notice that comes meanwhile, late, is of a question that was found without it. */
let answering = false;

port.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend, data.options);
      gradient = partGradient(await modelOf(data));
      form = loadTree(data.form, backend).tree;
      ({ index, workers } = data);
      port.postMessage({ found: null }, []);
    } else if ("board" in data) {
      if (!answering) await answerBoard(data.board);
    } else {
      await answer(data);
    }
  } catch (error) {
    port.postMessage({ error: String(error) }, []);
  }
};

function portToStarter(): Port {
  // A page's own scope can post messages too.
  const isWorker = "postMessage" in globalThis && !("document" in globalThis);
  const port = isWorker ? globalThis : workerThreads()?.parentPort;
  if (port) return port as Port;
  throw new TypeError("Cannot start worker: its script must run in a worker, current thread is none");
}

/** Answers what is on the board as long as something is. */
async function answerBoard(board: Board): Promise<void> {
  answering = true;
  try {
    for (;;) {
      const question = takeQuestion(board, index, last);
      if (question === undefined) return;
      last = question.number;
      const part = splitBatch(question.batch, workers).at(index);
      // Nobody asked it then: the batch has fewer sequences than there are workers.
      if (part === undefined) continue;
      const { loss } = await gradientOf(part, board.params, board.grads[index]);
      putAnswer(board, index, question.number, loss);
      if (isToBeWoken(board, 0)) port.postMessage({ found: null }, []);
    }
  } finally {
    answering = false;
  }
}

async function answer({ params, part }: Request): Promise<void> {
  const found = await gradientOf(part, params, ownNumbers(params.constructor as Kind, params.length));
  port.postMessage({ found: { worker: index, ...found } }, [found.grads.buffer as ArrayBuffer]);
}

async function gradientOf(
  part: Part,
  numbers: Floats,
  room: Floats,
): Promise<{ loss: number; grads: Floats }> {
  const params = fromFlat(form, numbers, backend);
  try {
    return await flatGradient(gradient, params, part, backend, room, null);
  } finally {
    backend.free(params);
  }
}

function backendNamed(name: string, options: unknown): Promise<Backend> | Backend {
  if (name === "reference") return createReference(options as ReferenceOptions);
  if (name === "wasm") return createWasm(options as WasmOptions);
  if (name === "webgpu") return createWebGpu(options as WebGpuOptions);
  throw new TypeError(
    `Cannot start worker: backend must be reference, wasm or webgpu, current one is ${show(name)}`,
  );
}

/**
 * Provides a worker with models that are not the library's: `fit` finds them by their names.
 *
 * @param models the models
 * @throws {TypeError} if one is none
 */
export function provideModels(...models: readonly LanguageModel<never, unknown, unknown>[]): void {
  for (const model of models) {
    if (!isModel(model)) {
      throw new TypeError(
        `Cannot provide models: each must be a language model, current one is ${show(model)}`,
      );
    }
    provided.set(model.name, model);
  }
}

/** The model that a worker is to train: one of the library, one that a module exports, or one that it was provided with. */
async function modelOf({ model: name, isOwn, module }: Start): Promise<Model> {
  if (isOwn) return ownModels.find((model) => model.name === name)!;
  const models = module === undefined ? Object.fromEntries(provided) : await exportsOf(module);
  const found = Object.values(models).find((value) => isModel(value) && value.name === name);
  if (found !== undefined) return found as Model;
  const names = Object.keys(models).join(", ");
  throw new TypeError(
    module === undefined
      ? `Cannot start worker: provideModels must provide it with a model named ${
        show(name)
      }, current models are ${names || "none"}`
      : `Cannot start worker: ${module} must export a model named ${
        show(name)
      }, current exports are ${names}`,
  );
}

async function exportsOf(module: string): Promise<Readonly<Record<string, unknown>>> {
  // No bundler knows it.
  return await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
}
