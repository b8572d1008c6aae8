/**
 * Stores the results of trainings as one file each: results of several machines are merged by copying them to one
 * folder.
 *
 * @module
 */
import { writeWhole } from "../measure/write_file.ts";
import { nameOf, type TrainingRow } from "./row.ts";

/** The folder of these files in a report's folder. */
export const rowsFolder = (out: string) => `${out}/training`;

/** All rows of a report, in the order of their file names. */
export async function readRows(out: string): Promise<TrainingRow[]> {
  const folder = rowsFolder(out);
  const entries = await absentAsUndefined(Array.fromAsync(Deno.readDir(folder))) ?? [];
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();
  return await Promise.all(
    names.map(async (name) => JSON.parse(await Deno.readTextFile(`${folder}/${name}`))),
  );
}

/** Writes a row to its file, on a single line. */
export async function writeRow(row: TrainingRow, out: string): Promise<void> {
  await writeWhole(`${rowsFolder(out)}/${nameOf(row, row.backend)}.json`, JSON.stringify(row) + "\n");
}

/** The result of reading a file; undefined if it does not exist. */
export async function absentAsUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
