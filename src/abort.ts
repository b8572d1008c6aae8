/**
 * Signals that end a computation.
 *
 * @module
 */

/** An `AbortSignal`, as far as it is used: what is not a page's or Node's has no type of that name. */
export interface AbortSignalLike {
  /** Why it was aborted. */
  readonly reason: unknown;
  /** Throws the reason if it was aborted. */
  throwIfAborted(): void;
  /** Hears that it is aborted. */
  addEventListener(type: "abort", listener: () => void): void;
  /** Hears it no longer. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A promise's value, or the signal's reason as an error if that comes first. */
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
    // Who has left does not hear of it.
    promise.catch(() => {});
  }
}
