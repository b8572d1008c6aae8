/**
 * The most that something comes to in each tenth of a run.
 *
 * @module
 */
const parts = 10;

/** The highest value in each tenth. */
export class Peaks {
  readonly #steps: number;
  readonly #peaks: (number | null)[] = Array(parts).fill(null);

  /** @param steps those of the run */
  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Takes a value at a step, from 0. */
  note(step: number, value: number): void {
    const part = tenthOf(step, this.#steps);
    this.#peaks[part] = Math.max(this.#peaks[part] ?? -Infinity, value);
  }

  /** Those of the tenths; null where there was no value. */
  get tenths(): readonly (number | null)[] {
    return [...this.#peaks];
  }
}

/** The tenth of a run of so many steps that a step is in, from 0. */
export function tenthOf(step: number, steps: number): number {
  return Math.floor(step * parts / steps);
}

/** What is highest behind the first tenth in parts of the first tenth; null where either has no value. */
export function restOverFirst([first, ...rest]: readonly (number | null)[]): number | null {
  return ratio(highest(rest), first);
}

/** What is highest in the second half in parts of what is highest in the first. */
export function secondHalfOverFirst(tenths: readonly (number | null)[]): number | null {
  return ratio(highest(tenths.slice(parts / 2)), highest(tenths.slice(0, parts / 2)));
}

/** The highest of values; null where there is none. */
export function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
}

function ratio(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a / b;
}
