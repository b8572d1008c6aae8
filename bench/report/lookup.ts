import type { Cell } from "../measure/subjects.ts";

/** The values of a column, each once, in the order in which they come. */
export function distinct<R, K extends keyof R>(rows: readonly R[], column: K): R[K][] {
  return [...new Set(rows.map((row) => row[column]))];
}

/** The row of a cell. */
export function find<R extends Cell>(rows: readonly R[], cell: Cell): R | undefined {
  return rows.find((row) =>
    row.preset === cell.preset && row.model === cell.model && row.mode === cell.mode &&
    row.backend === cell.backend && row.length === cell.length
  );
}
