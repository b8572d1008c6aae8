/**
 * Combines parts of a report that were measured in different runs.
 *
 * @module
 */
import { absentAsUndefined, readRows } from "../training/rows.ts";
import type { Section } from "./options.ts";
import type { Result, Run } from "./result.ts";

/**
 * The report after a run: the sections that the run measured are replaced, the others are kept. Times and bytes of
 * a section are comparable only within one run, so a section is replaced as a whole.
 *
 * @param old the report before
 * @param now the results of the run, with that run alone in `runs`
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

/** A report without measurements. */
export const emptyResult: Result = {
  runs: [],
  latency: [],
  memory: [],
  training: [],
  wkv: [],
  wkvNotes: [],
};

/**
 * The report in a folder, including its trainings; empty if there is none.
 *
 * @throws {TypeError} if the file is not a report
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
      `Cannot add to report: ${path} must be a report of this version or not exist, current one has no runs`,
    );
  }
  return { ...found, training };
}

/** The run that a section is from; the newest if there are several. */
export function runOf({ runs }: Result, section: Section): Run {
  return runs.findLast(({ sections }) => sections.includes(section)) ?? runs[runs.length - 1];
}
