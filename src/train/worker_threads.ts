import type { FitWorker } from "./fit_worker.ts";

/** The part of Node's `worker_threads` that is used. */
interface WorkerThreads {
  readonly Worker: new (script: URL) => FitWorker;
  /** The port to the thread that started this one; null in the main thread. */
  readonly parentPort: unknown;
}

/** Node's module, without an import that browsers and bundlers would follow; undefined in other runtimes. */
export function workerThreads(): WorkerThreads | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): WorkerThreads | undefined };
  };
  return process?.getBuiltinModule?.("node:worker_threads");
}
