/**
 * Turns of the event loop in the middle of long computations, so that timers fire, messages arrive, pages paint and signals
 * are heard.
 *
 * @module
 */
import type { AbortSignalLike } from "./abort.ts";

/** A computation goes on for so long, in ms, before it lets the event loop turn; what it does between two looks comes on top. */
const interval = 20;

/** Where a long computation may be left for a moment: what it is to wait for before it goes on, if anything. */
export type Pause = () => Promise<void> | undefined;

/** Whether something waits for a turn that no clock tells of. */
let wanted = false;

/** Makes the event loop due a turn, wherever that is looked at next. */
export function wantTurn(): void {
  wanted = true;
}

/**
 * Tells a computation when to let the event loop turn. A timer is set ahead of the work and awaited once it is overdue, which
 * takes 0.1 ms; one that is set only then takes 2.7 in Deno and 4 in a browser, and a message instead of a timer would
 * leave Deno's and Node's other timers waiting.
 */
export class EventLoopTurns {
  readonly #pause: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fired: Promise<void> | undefined;
  /** When the timer that has not fired was set; null: there is none. */
  #waitingSince: number | null = null;
  #firedAt = performance.now();

  /**
   * @param pause how long after a turn, in ms, the next timer is set; 0: at once, for a computation that goes on and
   *   calls {@linkcode stop} at its end
   */
  constructor(pause = 0) {
    this.#pause = pause;
  }

  /** What to wait for if the event loop is due a turn; else undefined, because to wait for nothing takes as long as a kernel. */
  due(): Promise<void> | undefined {
    if (wanted) return this.turn();
    const now = performance.now();
    if (this.#waitingSince !== null) return now - this.#waitingSince < interval ? undefined : this.turn();
    if (now - this.#firedAt >= this.#pause) this.#set();
    return undefined;
  }

  /** The same for a computation that a signal ends: throws its reason, now or when the event loop has turned. */
  pause(signal: AbortSignalLike | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    return this.due()?.then(() => signal?.throwIfAborted());
  }

  /** Lets the event loop turn, due or not. */
  async turn(): Promise<void> {
    wanted = false;
    if (this.#waitingSince === null) this.#set();
    await (isHidden() ? message() : this.#fired);
    if (this.#waitingSince !== null) this.#waitingSince = performance.now();
    else if (this.#pause === 0) this.#set();
  }

  /** Leaves no timer behind. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#waitingSince = null;
  }

  #set(): void {
    this.#waitingSince = performance.now();
    this.#fired = new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        this.#waitingSince = null;
        this.#firedAt = performance.now();
        resolve();
      });
    });
  }
}

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
