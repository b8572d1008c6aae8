/**
 * Measures the delay of timers during other computations.
 *
 * @module
 */
import process from "node:process";

/** The time between two calls of a timer, in ms. */
export interface Gap {
  readonly ms: number;
  /**
   * The processor time of all threads of the process during the gap. In the rest of it the process waited, or other
   * processes ran.
   */
  readonly busyMs: number;
}

/** Statistics of gaps. */
export interface GapSummary {
  readonly count: number;
  /** The longest four, in descending order. */
  readonly longest: readonly Gap[];
  /** The largest processor time of a gap. */
  readonly mostBusyMs: number;
  /** The number of gaps above {@linkcode countedAbove}. */
  readonly above: number;
  /** The number of gaps whose processor time is above it. */
  readonly busyAbove: number;
}

/** Gaps longer than this, in ms, are counted. */
export const countedAbove = 50;

const longestOf = 4;

/** Computes the statistics of gaps. */
export function summarizeGaps(gaps: readonly Gap[]): GapSummary {
  return {
    count: gaps.length,
    longest: gaps.toSorted((a, b) => b.ms - a.ms).slice(0, longestOf),
    mostBusyMs: gaps.reduce((most, { busyMs }) => Math.max(most, busyMs), 0),
    above: gaps.filter(({ ms }) => ms > countedAbove).length,
    busyAbove: gaps.filter(({ busyMs }) => busyMs > countedAbove).length,
  };
}

/** Runs a timer of 1 ms and records the time between its calls. */
export class GapMeter {
  #gaps: Gap[] = [];
  #last = performance.now();
  #lastBusy = busyMs();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Waits until the timer fires regularly, and starts recording. */
  async start(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#note(), 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    this.#note();
    this.#gaps = [];
  }

  /** Returns the statistics so far, and starts again. */
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
