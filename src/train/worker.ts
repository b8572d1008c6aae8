/**
 * One worker of `fit`: it finds parameters and a batch, or is sent them and its part, and gives the gradients of that.
 * Started by `fit`; nothing to call.
 *
 * @module
 */
import { createReference, type ReferenceOptions } from "../backends/reference/mod.ts";
import { createWasm, type WasmOptions } from "../backends/wasm/mod.ts";
import { createWebGpu, type WebGpuOptions } from "../backends/webgpu/mod.ts";
import { show } from "../check.ts";
import { loadTree } from "../checkpoint/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import type { Backend, Floats } from "../tensor.ts";
import { flatGradient } from "./batch_gradient.ts";
import { type Part, splitBatch } from "./batches.ts";
import { type Board, isToBeWoken, putAnswer, takeQuestion } from "./board.ts";
import { fromFlat, type Kind, ownNumbers } from "./flat.ts";
import { ownModels } from "./own_models.ts";
import type { Answer, Notice, Request, Start } from "./workers.ts";

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
/** A notice that comes meanwhile, late, is of a question that was found without it. */
let answering = false;

scope.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend, data.options);
      model = await modelNamed(data.model, data.module);
      form = loadTree(data.form, backend).tree;
      ({ index, workers } = data);
      scope.postMessage({ found: null }, []);
    } else if ("board" in data) {
      if (!answering) await answerBoard(data.board);
    } else {
      await answer(data);
    }
  } catch (error) {
    scope.postMessage({ error: String(error) }, []);
  }
};

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
      if (isToBeWoken(board, 0)) scope.postMessage({ found: null }, []);
    }
  } finally {
    answering = false;
  }
}

async function answer({ params, part }: Request): Promise<void> {
  const found = await gradientOf(part, params, ownNumbers(params.constructor as Kind, params.length));
  scope.postMessage({ found: { worker: index, ...found } }, [found.grads.buffer as ArrayBuffer]);
}

async function gradientOf(
  part: Part,
  numbers: Floats,
  room: Floats,
): Promise<{ loss: number; grads: Floats }> {
  const params = fromFlat(form, numbers, backend);
  try {
    return await flatGradient(model, params, part, backend, room);
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
