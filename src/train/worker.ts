/**
 * The script of a worker of `fit`, which usually starts it by itself. If `fit` can't find the script, or trains a model that
 * is not the library's, write a module that imports this one, and pass `fit` a function that starts it:
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
 * Import it only in workers: it handles all messages from the thread that started the worker.
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
import { type PartGradient, partGradient, raveledGradient } from "./batch_gradient.ts";
import { type Part, splitBatch } from "./batches.ts";
import { libraryModels } from "./library_models.ts";
import { type Mailbox, mustWake, postResult, takeJob } from "./mailbox.ts";
import { type FloatsConstructor, ownNumbers, unravel } from "./ravel.ts";
import { workerThreads } from "./worker_threads.ts";
import type { Notice, Reply, Request, Start } from "./workers.ts";

type Model = LanguageModel<never, unknown, unknown>;

/** The port to the thread that started the worker: the global scope on the web, `parentPort` in Node.js. */
interface Port {
  onmessage: ((event: MessageEvent<Start | Notice | Request>) => void) | null;
  postMessage(reply: Reply, transfer: Transferable[]): void;
}

const port = portToStarter();
/** The provided models, by name. */
const provided = new Map<string, Model>();
let backend: Backend, gradient: PartGradient<unknown>, form: unknown, index: number, workers: number;
/** The number of the last job that was started. */
let last = 0;
/** Whether jobs are being worked on. A notice that arrives meanwhile is late, and its job is found without it. */
let working = false;

port.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend, data.options);
      gradient = partGradient(await modelOf(data));
      form = loadTree(data.form, backend).tree;
      ({ index, workers } = data);
      port.postMessage({ result: null }, []);
    } else if ("mailbox" in data) {
      if (!working) await work(data.mailbox);
    } else {
      await reply(data);
    }
  } catch (error) {
    port.postMessage({ error: String(error) }, []);
  }
};

function portToStarter(): Port {
  // The scope of a page has `postMessage` too.
  const isWorker = "postMessage" in globalThis && !("document" in globalThis);
  const port = isWorker ? globalThis : workerThreads()?.parentPort;
  if (port) return port as Port;
  throw new TypeError("Cannot start worker: its script must run in a worker, current thread is none");
}

/** Works on the jobs in the mailbox until there are no more. */
async function work(mailbox: Mailbox): Promise<void> {
  working = true;
  try {
    for (;;) {
      const job = takeJob(mailbox, index, last);
      if (job === undefined) return;
      last = job.number;
      const part = splitBatch(job.batch, workers).at(index);
      // A batch with fewer sequences than workers has no part for this one.
      if (part === undefined) continue;
      const { loss } = await gradientOf(part, mailbox.params, mailbox.grads[index]);
      postResult(mailbox, index, job.number, loss);
      if (mustWake(mailbox, 0)) port.postMessage({ result: null }, []);
    }
  } finally {
    working = false;
  }
}

async function reply({ params, part }: Request): Promise<void> {
  const out = ownNumbers(params.constructor as FloatsConstructor, params.length);
  const result = await gradientOf(part, params, out);
  port.postMessage({ result: { worker: index, ...result } }, [result.grads.buffer as ArrayBuffer]);
}

async function gradientOf(
  part: Part,
  numbers: Floats,
  out: Floats,
): Promise<{ loss: number; grads: Floats }> {
  const params = unravel(form, numbers, backend);
  try {
    return await raveledGradient(gradient, params, part, backend, out, null);
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
 * Provides a worker with models that are not the library's, which it then finds by their names.
 *
 * @param models the models
 * @throws {TypeError} if one is not a language model
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

/** The model to train: one of the library's, an export of a module, or a provided one. */
async function modelOf({ model: name, isLibraryModel, module }: Start): Promise<Model> {
  if (isLibraryModel) return libraryModels.find((model) => model.name === name)!;
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
  // The URL is unknown to bundlers.
  return await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
}
