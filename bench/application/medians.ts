/**
 * Combines several runs.
 *
 * @module
 */
import { median } from "../measure/statistics.ts";

/** Results of the same form with the median of each number; null if a run has none. */
export function medianOf<T>(runs: readonly T[]): T {
  const [first] = runs;
  if (runs.some((run) => run === null)) return null as T;
  if (typeof first === "number") return median(runs as readonly number[]) as T;
  if (Array.isArray(first)) {
    const length = Math.min(...(runs as readonly (readonly unknown[])[]).map(({ length }) => length));
    return Array.from(
      { length },
      (_, i) => medianOf((runs as readonly (readonly unknown[])[]).map((run) => run[i])),
    ) as T;
  }
  if (typeof first === "object") {
    return Object.fromEntries(
      Object.keys(first as object).map((key) => [key, medianOf(runs.map((run) => run[key as keyof T]))]),
    ) as T;
  }
  return first;
}
