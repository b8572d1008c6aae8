/**
 * Abort signals.
 *
 * @module
 */

/** The part of `AbortSignal` that is used, since a project without the DOM's or Node's types has no such type. */
export interface AbortSignalLike {
  /** The reason for aborting. */
  readonly reason: unknown;
  /** Throws the reason if the signal has been aborted. */
  throwIfAborted(): void;
  /** Adds a listener for the abort. */
  addEventListener(type: "abort", listener: () => void): void;
  /** Removes a listener. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Awaits a promise; if the signal is aborted first, throws its reason. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignalLike | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    // After an abort, a later rejection of the promise is not reported as unhandled.
    promise.catch(() => {});
  }
}
