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
import { fromFlat } from "./flat.ts";
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

scope.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend);
      model = await modelNamed(data.model, data.module);
      form = loadTree(data.form, backend).tree;
      scope.postMessage({ ready: true }, []);
      return;
    }
    const params = fromFlat(form, data.params, backend);
    const answer = await flatGradient(model, params, data.batch, backend, data.grads);
    backend.free(params);
    const { buffer } = answer.grads;
    // Shared memory stays where it is.
    scope.postMessage(answer, buffer instanceof ArrayBuffer ? [buffer] : []);
  } catch (error) {
    scope.postMessage({ error: String(error) }, []);
  }
};

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
