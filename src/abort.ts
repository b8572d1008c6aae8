/**
 * Abort signals.
 *
 * @module
 */
import { show } from "./check.ts";

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

/** Checks that a value is an abort signal, or undefined. */
export function checkSignal(action: string, signal: AbortSignalLike | undefined): void {
  if (signal === undefined) return;
  const { throwIfAborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<
    AbortSignalLike
  >;
  if ([throwIfAborted, addEventListener, removeEventListener].every((f) => typeof f === "function")) return;
  throw new TypeError(
    `Cannot ${action}: signal must be an AbortSignal, current value is ${show(signal)}`,
  );
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
