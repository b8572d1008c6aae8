/**
 * The peak of a quantity in each tenth of a run.
 *
 * @module
 */
const parts = 10;

/** Records the highest value in each tenth of a run. */
export class Peaks {
  readonly #steps: number;
  readonly #peaks: (number | null)[] = Array(parts).fill(null);

  /**
   * @param steps the number of steps in the run
   */
  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Records a value at a step, counted from 0. */
  note(step: number, value: number): void {
    const part = tenthOf(step, this.#steps);
    this.#peaks[part] = Math.max(this.#peaks[part] ?? -Infinity, value);
  }

  /** The peak of each tenth; null if it has no value. */
  get tenths(): readonly (number | null)[] {
    return [...this.#peaks];
  }
}

/** The tenth of a run of `steps` steps that contains a step, both counted from 0. */
export function tenthOf(step: number, steps: number): number {
  return Math.floor(step * parts / steps);
}

/** The highest value after the first tenth, relative to the first; null if either has no value. */
export function restOverFirst([first, ...rest]: readonly (number | null)[]): number | null {
  return ratio(highest(rest), first);
}

/** The highest value of the second half, relative to that of the first. */
export function secondHalfOverFirst(tenths: readonly (number | null)[]): number | null {
  return ratio(highest(tenths.slice(parts / 2)), highest(tenths.slice(0, parts / 2)));
}

/** The highest value; null if there is none. */
export function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
}

function ratio(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a / b;
}
