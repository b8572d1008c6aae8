/**
 * How long a timer waits for its turn while something else is computed.
 *
 * @module
 */
import process from "node:process";

/** From one turn of a timer to the next, in ms. */
export interface Gap {
  readonly ms: number;
  /** The processor time in it, of all threads of the process: the rest the process waited, or other processes had the core. */
  readonly busyMs: number;
}

/** Some gaps in figures. */
export interface GapSummary {
  readonly count: number;
  /** The longest four, the longest first. */
  readonly longest: readonly Gap[];
  /** The most processor time in a gap. */
  readonly mostBusyMs: number;
  /** The number of gaps above {@linkcode countedAbove}. */
  readonly above: number;
  /** The same of their processor time. */
  readonly busyAbove: number;
}

/** Gaps longer than this, in ms, are counted. */
export const countedAbove = 50;

const longestOf = 4;

/** The figures of gaps. */
export function summarizeGaps(gaps: readonly Gap[]): GapSummary {
  return {
    count: gaps.length,
    longest: gaps.toSorted((a, b) => b.ms - a.ms).slice(0, longestOf),
    mostBusyMs: gaps.reduce((most, { busyMs }) => Math.max(most, busyMs), 0),
    above: gaps.filter(({ ms }) => ms > countedAbove).length,
    busyAbove: gaps.filter(({ busyMs }) => busyMs > countedAbove).length,
  };
}

/** A timer of 1 ms, and the time between its calls. */
export class GapMeter {
  #gaps: Gap[] = [];
  #last = performance.now();
  #lastBusy = busyMs();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Waits until the timer is called regularly, and counts from there. */
  async start(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#note(), 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    this.#note();
    this.#gaps = [];
  }

  /** The figures up to now; goes on from here. */
  take(): GapSummary {
    this.#note();
    const gaps = this.#gaps;
    this.#gaps = [];
    return summarizeGaps(gaps);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #note(): void {
    const now = performance.now(), busy = busyMs();
    this.#gaps.push({ ms: now - this.#last, busyMs: busy - this.#lastBusy });
    this.#last = now;
    this.#lastBusy = busy;
  }
}

function busyMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
