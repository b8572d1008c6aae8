/**
 * The results of trainings as files, one each, so that those of several machines are merged by being in one folder.
 *
 * @module
 */
import { writeWhole } from "../write_file.ts";
import { nameOf, type TrainingCell } from "./cells.ts";
import type { TrainingRow } from "./train.ts";

/** The folder of the files in a report's folder. */
export const rowsFolder = (out: string) => `${out}/training`;

const pathOf = (cell: TrainingCell, backend: string, out: string) =>
  `${rowsFolder(out)}/${nameOf(cell, backend)}.json`;

/** The row of a training; undefined where it is not done. */
export async function readRow(
  cell: TrainingCell,
  backend: string,
  out: string,
): Promise<TrainingRow | undefined> {
  const text = await absentAsUndefined(Deno.readTextFile(pathOf(cell, backend, out)));
  return text === undefined ? undefined : JSON.parse(text);
}

/** All rows of a report, in the order of their files' names. */
export async function readRows(out: string): Promise<TrainingRow[]> {
  const entries = await absentAsUndefined(Array.fromAsync(Deno.readDir(rowsFolder(out)))) ?? [];
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();
  return await Promise.all(
    names.map(async (name) => JSON.parse(await Deno.readTextFile(`${rowsFolder(out)}/${name}`))),
  );
}

/** Writes a row, on a single line, to its file. */
export async function writeRow(row: TrainingRow, out: string): Promise<void> {
  await writeWhole(pathOf(row, row.backend, out), JSON.stringify(row) + "\n");
}

/** What a file is read as; undefined where there is none. */
export async function absentAsUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
