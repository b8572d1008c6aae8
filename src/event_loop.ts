/**
 * Yields to the event loop in the middle of long computations, so that timers fire, messages arrive, pages paint
 * and signals abort.
 *
 * @module
 */
import type { AbortSignalLike } from "./abort.ts";

/** The time in ms that a computation runs before it yields; the work between two checks of the clock comes on top. */
const interval = 20;

/** The longest time in ms for which requested turns hold up the computation. */
const longestTurns = 200;

/**
 * Decides when computations yield to the event loop, jointly for all computations of a thread, since many short
 * ones keep it as busy as one long one. The timer is set ahead of the work and awaited once it is overdue, which
 * takes 0.1 ms; setting one only then takes 2.7 ms in Deno and 4 ms in a browser. A message instead of a timer
 * would leave Deno's and Node's other timers waiting.
 */
export class EventLoopTurns {
  #fired: Promise<void> | undefined;
  /** When the pending timer was set; null if none is pending. */
  #waitingSince: number | null = null;
  #firedAt = -Infinity;
  /** Requests for turns regardless of the clock. After a turn, each returns whether it needs another. */
  readonly #wanted = new Set<() => boolean>();

  /**
   * Returns a promise if a turn is due; else undefined, because awaiting a resolved promise takes as long as a
   * kernel.
   *
   * @param pause the time in ms after a turn until the next timer is set: 0 if the computation is certain to
   *   continue
   */
  due(pause = 0): Promise<void> | undefined {
    if (this.#wanted.size > 0) return this.turn();
    const now = performance.now();
    if (this.#waitingSince !== null) return now - this.#waitingSince < interval ? undefined : this.turn();
    if (now - this.#firedAt >= pause) this.#set();
    return undefined;
  }

  /** The same for a computation with a signal: throws the signal's reason, now or after the turn. */
  pause(signal: AbortSignalLike | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    return this.due()?.then(() => signal?.throwIfAborted());
  }

  /** Lets the event loop turn, due or not, and repeats it while that is requested. */
  async turn(): Promise<void> {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    const end = performance.now() + longestTurns;
    do {
      if (this.#waitingSince === null) this.#set();
      await (isHidden() ? message() : this.#fired);
    } while (wanted.filter((wantsAnother) => wantsAnother()).length > 0 && performance.now() < end);
    // The timer for the work that follows.
    if (this.#waitingSince === null) this.#set();
    else this.#waitingSince = performance.now();
  }

  /** Makes a turn due at the next check. */
  want(wantsAnother: () => boolean): void {
    this.#wanted.add(wantsAnother);
  }

  #set(): void {
    this.#waitingSince = performance.now();
    this.#fired = new Promise((resolve) => {
      setTimeout(() => {
        this.#waitingSince = null;
        this.#firedAt = performance.now();
        resolve();
      });
    });
  }
}

/** The instance shared by all computations of this thread. */
export const eventLoop: EventLoopTurns = new EventLoopTurns();

/** Timers of a hidden page are throttled to one a second or a minute; messages are not. */
function isHidden(): boolean {
  return (globalThis as { document?: { readonly hidden?: boolean } }).document?.hidden === true;
}

function message(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
