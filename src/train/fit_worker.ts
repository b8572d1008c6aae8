/** A worker, as far as `fit` uses it: the web's `Worker`, or that of Node's `worker_threads`. */
export interface FitWorker {
  /** Sends a message to the worker. */
  postMessage(message: unknown): void;
  /** Ends the worker. */
  terminate(): unknown;
}
