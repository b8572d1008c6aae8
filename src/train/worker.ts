/**
 * One worker of `fit`: it is sent parameters and a part of a batch, and answers with the loss and the gradients. Started by
 * `fit`; nothing to call.
 *
 * @module
 */
import { createReference } from "../backends/reference/mod.ts";
import { createWasm } from "../backends/wasm/mod.ts";
import { createWebGpu } from "../backends/webgpu/mod.ts";
import { show } from "../check.ts";
import { loadTree } from "../checkpoint/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import type { Backend } from "../tensor.ts";
import { flatGradient } from "./batch_gradient.ts";
import type { Batch } from "./batches.ts";
import { fromFlat } from "./flat.ts";
import { isAsked, type Mailbox, putAnswer, takeQuestion } from "./mailbox.ts";
import { ownModels } from "./own_models.ts";
import type { Answer, Request, Start } from "./workers.ts";

type Model = LanguageModel<never, unknown, unknown>;

/** What a worker's global scope has of what is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Start | Request>) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let backend: Backend, model: Model, form: unknown;
/** The number of the last question that was begun. */
let done = 0;

scope.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend);
      model = await modelNamed(data.model, data.module);
      form = loadTree(data.form, backend).tree;
      scope.postMessage({ number: done }, []);
      return;
    }
    // What was found in the mailbox comes as a message too.
    if (data.number <= done) return;
    const { mailbox } = data;
    await answer(data.number, data.params, data.batch, mailbox);
    while (mailbox !== undefined && isAsked(mailbox, done + 1)) {
      await answer(done + 1, mailbox.params, takeQuestion(mailbox), mailbox);
    }
  } catch (error) {
    scope.postMessage({ error: String(error) }, []);
  }
};

async function answer(
  number: number,
  numbers: Float32Array,
  batch: Batch,
  mailbox: Mailbox | undefined,
): Promise<void> {
  done = number;
  const params = fromFlat(form, numbers, backend);
  const { loss, grads } = await flatGradient(model, params, batch, backend, mailbox?.grads);
  backend.free(params);
  if (mailbox !== undefined) putAnswer(mailbox, number, loss);
  // Shared memory stays where it is.
  scope.postMessage(
    { number, gradient: { loss, grads } },
    grads.buffer instanceof ArrayBuffer ? [grads.buffer] : [],
  );
}

function backendNamed(name: string): Promise<Backend> | Backend {
  if (name === "reference") return createReference();
  if (name === "wasm") return createWasm();
  if (name === "webgpu") return createWebGpu();
  throw new TypeError(
    `Cannot start worker: backend must be reference, wasm or webgpu, current one is ${show(name)}`,
  );
}

/** A model of the library by its name, or the one of that name that a module exports. */
async function modelNamed(name: string, module: string | undefined): Promise<Model> {
  const exported: Record<string, unknown> = module === undefined ? { ...ownModels } : await import(module);
  const found = Object.values(exported).find((value) =>
    (value as Partial<Model> | null)?.name === name &&
    typeof (value as Partial<Model>).forward === "function"
  );
  if (found === undefined) {
    throw new TypeError(
      `Cannot start worker: ${module} must export a model named ${show(name)}, current exports are ${
        Object.keys(exported).join(", ")
      }`,
    );
  }
  return found as Model;
}
