/**
 * One worker of `fit`: it finds or is sent parameters and a batch, and gives the gradients of parts of it. Started by
 * `fit`; nothing to call.
 *
 * @module
 */
import { createReference, type ReferenceOptions } from "../backends/reference/mod.ts";
import { createWasm, type WasmOptions } from "../backends/wasm/mod.ts";
import { createWebGpu, type WebGpuOptions } from "../backends/webgpu/mod.ts";
import { show } from "../check.ts";
import { loadTree } from "../checkpoint/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import type { Backend } from "../tensor.ts";
import { flatGradient } from "./batch_gradient.ts";
import { splitBatch } from "./batches.ts";
import { type Board, dealParts, drawParts, isToBeWoken, putAnswer, takeQuestion } from "./board.ts";
import { fromFlat, type Kind } from "./flat.ts";
import { ownModels } from "./own_models.ts";
import type { Answer, Notice, PartGradient, Request, Start } from "./workers.ts";

type Model = LanguageModel<never, unknown, unknown>;

/** What a worker's global scope has of what is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Start | Notice | Request>) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let backend: Backend, model: Model, form: unknown, index: number, workers: number;
/** The number of the last question that was begun. */
let last = 0;

scope.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend, data.options);
      model = await modelNamed(data.model, data.module);
      form = loadTree(data.form, backend).tree;
      ({ index, workers } = data);
      scope.postMessage({ parts: [] }, []);
    } else if ("board" in data) {
      await answerBoard(data.board);
    } else {
      await answer(data);
    }
  } catch (error) {
    scope.postMessage({ error: String(error) }, []);
  }
};

/** Answers what is on the board as long as something is. */
async function answerBoard(board: Board): Promise<void> {
  for (;;) {
    const question = takeQuestion(board, index, last);
    if (question === undefined) return;
    const { number, batch, first } = question;
    last = number;
    const parts = splitBatch(batch, workers);
    // Nobody asked it then: the batch has fewer sequences than there are workers.
    if (index >= parts.length) continue;
    const params = fromFlat(form, board.params, backend);
    for (const part of drawParts(board, first, index, parts.length)) {
      const { loss } = await flatGradient(model, params, parts[part], backend, board.grads[part]);
      putAnswer(board, number, part, loss);
      if (isToBeWoken(board, 0)) scope.postMessage({ parts: [] }, []);
    }
    backend.free(params);
  }
}

async function answer({ params: numbers, batch }: Request): Promise<void> {
  const params = fromFlat(form, numbers, backend);
  const parts = splitBatch(batch, workers), answers: PartGradient[] = [];
  for (const part of dealParts(index, workers, parts.length)) {
    const room = new (numbers.constructor as Kind)(numbers.length);
    answers.push({ part, ...await flatGradient(model, params, parts[part], backend, room) });
  }
  backend.free(params);
  scope.postMessage({ parts: answers }, answers.map(({ grads }) => grads.buffer as ArrayBuffer));
}

function backendNamed(name: string, options: unknown): Promise<Backend> | Backend {
  if (name === "reference") return createReference(options as ReferenceOptions);
  if (name === "wasm") return createWasm(options as WasmOptions);
  if (name === "webgpu") return createWebGpu(options as WebGpuOptions);
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
