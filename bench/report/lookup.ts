import type { Cell } from "../measure/subjects.ts";

/** The distinct values of a column, in order of appearance. */
export function distinct<R, K extends keyof R>(rows: readonly R[], column: K): R[K][] {
  return [...new Set(rows.map((row) => row[column]))];
}

/** Finds the row of a cell. */
export function find<R extends Cell>(rows: readonly R[], cell: Cell): R | undefined {
  return rows.find((row) =>
    row.preset === cell.preset && row.model === cell.model && row.mode === cell.mode &&
    row.backend === cell.backend && row.length === cell.length
  );
}
