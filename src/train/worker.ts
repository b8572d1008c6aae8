/**
 * The script of a worker of `fit`, which usually starts it by itself. If `fit` can't find the script, or trains a
 * model that is not the library's, or a loss (`provideLosses`), write a module that imports this one, and pass `fit` a
 * function that starts it:
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
import type { Backend, Floats } from "../tensor.ts";
import { type PartGradient, partGradient, raveledGradient } from "./batch_gradient.ts";
import { type Mailbox, mustWake, postResult, takeJob } from "./mailbox.ts";
import type { Part } from "./objective.ts";
import { batchLossOf } from "./find_loss.ts";
import { type FloatsConstructor, ownNumbers, sharedNumbers, unravel } from "./ravel.ts";
import { workerThreads } from "./worker_threads.ts";
import type { Notice, Reply, Request, Start } from "./workers.ts";

export { provideLosses, provideModels } from "./provided.ts";

/** The port to the thread that started the worker: the global scope on the web, `parentPort` in Node.js. */
interface Port {
  onmessage: ((event: MessageEvent<Start | Notice | Request>) => void) | null;
  postMessage(reply: Reply, transfer: Transferable[]): void;
}

const port = portToStarter();
let backend: Backend, gradient: PartGradient<unknown, unknown>, form: unknown, index: number, workers: number;
/** The gradients in shared memory, which a caller without a mailbox reads before it sends the next part. */
let shared: Floats | undefined;
/** The number of the last job that was started. */
let last = 0;
/** Whether jobs are being worked on. A notice that arrives meanwhile is late, and its job is found without it. */
let working = false;

port.onmessage = async ({ data }) => {
  try {
    if ("backend" in data) {
      backend = await backendNamed(data.backend, data.options);
      gradient = partGradient(await batchLossOf(data));
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
      const part = gradient.loss.split(job.batch, workers).at(index);
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
  const Numbers = params.constructor as FloatsConstructor;
  if (isShared(params)) shared ??= sharedNumbers(Numbers, params.length);
  const result = await gradientOf(part, params, shared ?? ownNumbers(Numbers, params.length));
  port.postMessage(
    { result: { worker: index, ...result } },
    shared ? [] : [result.grads.buffer as ArrayBuffer],
  );
}

function isShared({ buffer }: Floats): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}

async function gradientOf(
  part: { readonly share: number },
  numbers: Floats,
  out: Floats,
): Promise<{ loss: number; grads: Floats }> {
  const params = unravel(form, numbers, backend);
  try {
    return await raveledGradient(gradient, params, part as Part<unknown>, backend, out, null);
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
