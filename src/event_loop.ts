/**
 * Turns of the event loop in the middle of long computations, so that timers fire, messages arrive, pages paint and signals
 * are heard.
 *
 * @module
 */
import type { AbortSignalLike } from "./abort.ts";

/** A computation goes on for so long, in ms, before it lets the event loop turn; what it does between two looks comes on top. */
const interval = 20;

/** Whoever wants turns gets them for so long at a time, in ms. */
const longestTurns = 200;

/** Where a long computation may be left for a moment: what it is to wait for before it goes on, if anything. */
export type Pause = () => Promise<void> | undefined;

/**
 * Decides when computations let the event loop turn, all of a thread together: many short ones keep it as busy as one long one. A
 * timer is set ahead of the work and awaited once it is overdue, which takes 0.1 ms; one that is set only then takes 2.7 in
 * Deno and 4 in a browser, and a message instead of a timer would leave Deno's and Node's other timers waiting.
 */
export class EventLoopTurns {
  #fired: Promise<void> | undefined;
  /** When the timer that has not fired was set; null: there is none. */
  #waitingSince: number | null = null;
  #firedAt = -Infinity;
  /** Who wants turns whatever the clock says: each tells after a turn whether it wants another. */
  readonly #wanted = new Set<() => boolean>();

  /**
   * What to wait for if the event loop is due a turn; else undefined, because to wait for nothing takes as long as a kernel.
   *
   * @param pause how long after a turn, in ms, the next timer is set: 0 where the computation surely goes on
   */
  due(pause = 0): Promise<void> | undefined {
    if (this.#wanted.size > 0) return this.turn();
    const now = performance.now();
    if (this.#waitingSince !== null) return now - this.#waitingSince < interval ? undefined : this.turn();
    if (now - this.#firedAt >= pause) this.#set();
    return undefined;
  }

  /** The same for a computation that a signal ends: throws its reason, now or when the event loop has turned. */
  pause(signal: AbortSignalLike | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    return this.due()?.then(() => signal?.throwIfAborted());
  }

  /** Lets the event loop turn, due or not, and a few times more if that is wanted. */
  async turn(): Promise<void> {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    const end = performance.now() + longestTurns;
    do {
      if (this.#waitingSince === null) this.#set();
      await (isHidden() ? message() : this.#fired);
    } while (wanted.filter((wantsAnother) => wantsAnother()).length > 0 && performance.now() < end);
    // Ahead of the work that follows.
    if (this.#waitingSince === null) this.#set();
    else this.#waitingSince = performance.now();
  }

  /** Makes a turn due wherever that is looked at next. */
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

/** The one event loop that there is. */
export const eventLoop: EventLoopTurns = new EventLoopTurns();

/** The timers of a page that nobody sees fire once a second, or once a minute; its messages are not held back. */
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
