/**
 * Starts a worker of `fit` in any runtime.
 *
 * @module
 */
import type { FitWorker } from "./fit_worker.ts";
import { workerThreads } from "./worker_threads.ts";

/** Receives the messages and errors of a worker. */
interface WorkerListener {
  message(data: unknown): void;
  error(message: string): void;
}

/** A worker of Node.js, which emits its own kind of events. */
interface NodeWorker extends FitWorker {
  on(event: "message", listener: (data: unknown) => void): void;
  on(event: "error", listener: (error: unknown) => void): void;
  on(event: "exit", listener: (code: number) => void): void;
}

/** A constant, since bundlers would copy a file that is named in a `new URL`. */
const script = "./seqmix_worker.js";

/**
 * Starts a worker with the library's own script.
 *
 * @throws {TypeError} where the runtime has no workers
 */
export function startWorker(): FitWorker {
  if (typeof Worker === "undefined") {
    const threads = workerThreads();
    if (threads === undefined) {
      throw new TypeError(
        "Cannot start workers: the runtime must have Worker, or worker_threads and process.getBuiltinModule (Node.js 20.16), " +
          "current runtime has neither",
      );
    }
    return new threads.Worker(new URL(script, import.meta.url));
  }
  try {
    // Bundlers recognise exactly this expression, and bundle the worker.
    return new Worker(new URL("./seqmix_worker.js", import.meta.url), { type: "module" });
  } catch (error) {
    if ((error as Partial<Error> | null)?.name !== "SecurityError") throw error;
    return startFromElsewhere();
  }
}

let importing: string | undefined;

/** A page can't start a script of another origin, but a script of its own origin may import it. */
function startFromElsewhere(): FitWorker {
  const text = `import ${JSON.stringify(new URL(script, import.meta.url).href)};`;
  importing ??= URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return new Worker(importing, { type: "module" });
}

/** Listens to the messages and errors of either kind of worker. */
export function listenTo(worker: FitWorker, listener: WorkerListener): void {
  if (isNodes(worker)) {
    worker.on("message", (data) => listener.message(data));
    worker.on("error", (error) => listener.error(String((error as Partial<Error> | null)?.message ?? error)));
    worker.on("exit", (code) => listener.error(`the worker must go on, current exit code is ${code}`));
    return;
  }
  const web = worker as Worker;
  web.addEventListener("message", ({ data }) => listener.message(data));
  web.addEventListener("error", (event) => {
    event.preventDefault();
    // For a script that could not be loaded, the event has no message.
    listener.error(
      event.message ??
        "its script must load, current one does not (where a bundler has moved it, the option worker starts another)",
    );
  });
}

function isNodes(worker: FitWorker): worker is NodeWorker {
  return typeof (worker as Partial<NodeWorker>).on === "function" && !("addEventListener" in worker);
}
