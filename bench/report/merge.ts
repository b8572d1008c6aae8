/**
 * Parts of a report that were measured by different runs of it, in one report.
 *
 * @module
 */
import { absentAsUndefined, readRows } from "../training/rows.ts";
import type { Section } from "./options.ts";
import type { Result, Run } from "./result.ts";

/**
 * What a report holds after a run: the sections that the run measured are its own, the others are what they were. Times
 * and bytes of one section compare with one another only within one run, so a section is replaced as a whole.
 *
 * @param old what the report held before
 * @param now what the run measured, with that run alone in `runs`
 */
export function mergeResults(old: Result, now: Result): Result {
  const [run] = now.runs;
  const has = (section: Section) => run.sections.includes(section);
  const runs = old.runs.map((each): Run => ({
    ...each,
    sections: each.sections.filter((section) => !has(section)),
  }));
  return {
    ...now,
    runs: [...runs.filter(({ sections }) => sections.length > 0), run],
    ...has("latency") ? {} : { latency: old.latency },
    ...has("memory") ? {} : { memory: old.memory },
    ...has("wkv") ? {} : { wkv: old.wkv, wkvNotes: old.wkvNotes },
    training: old.training,
  };
}

/** What a report holds of which nothing was measured. */
export const emptyResult: Result = {
  runs: [],
  latency: [],
  memory: [],
  training: [],
  wkv: [],
  wkvNotes: [],
};

/**
 * The report in a folder, with the trainings that are there; empty where there is none.
 *
 * @throws {TypeError} if the file there is something else
 */
export async function readResult(folder: string): Promise<Result> {
  const path = `${folder}/report.json`;
  const text = await absentAsUndefined(Deno.readTextFile(path));
  const training = await readRows(folder);
  if (text === undefined) return { ...emptyResult, training };
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    found = undefined;
  }
  if (!Array.isArray(found?.runs)) {
    throw new TypeError(
      `Cannot add to report: ${path} must be a report of this version, or not be there, current one has no runs`,
    );
  }
  return { ...found, training };
}

/** The run that a section is from; the newest one where it is from several. */
export function runOf({ runs }: Result, section: Section): Run {
  return runs.findLast(({ sections }) => sections.includes(section)) ?? runs[runs.length - 1];
}
