/**
 * The results of trainings as files, one each: those of several machines are merged by being in one folder.
 *
 * @module
 */
import { writeWhole } from "../measure/write_file.ts";
import { nameOf, type TrainingRow } from "./row.ts";

/** The folder of the files in a report's folder. */
export const rowsFolder = (out: string) => `${out}/training`;

/** All rows of a report, in the order of their files' names. */
export async function readRows(out: string): Promise<TrainingRow[]> {
  const folder = rowsFolder(out);
  const entries = await absentAsUndefined(Array.fromAsync(Deno.readDir(folder))) ?? [];
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();
  return await Promise.all(
    names.map(async (name) => JSON.parse(await Deno.readTextFile(`${folder}/${name}`))),
  );
}

/** Writes a row, on a single line, to its file. */
export async function writeRow(row: TrainingRow, out: string): Promise<void> {
  await writeWhole(`${rowsFolder(out)}/${nameOf(row, row.backend)}.json`, JSON.stringify(row) + "\n");
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
