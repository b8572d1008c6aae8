import type { FitWorker } from "./fit_worker.ts";

/** Node's `worker_threads`, as much as is used of it. */
interface WorkerThreads {
  readonly Worker: new (script: URL) => FitWorker;
  /** What a thread hears and speaks to its starter with; null in the first thread. */
  readonly parentPort: unknown;
}

/** Node's module, without an import that pages and bundlers would follow; undefined elsewhere. */
export function workerThreads(): WorkerThreads | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): WorkerThreads | undefined };
  };
  return process?.getBuiltinModule?.("node:worker_threads");
}
