/**
 * Parts of a report that were measured by different runs of it, in one report.
 *
 * @module
 */
import type { TrainingRow } from "../training/train.ts";
import type { Section } from "./options.ts";
import type { Result, Run } from "./result.ts";

/**
 * What a report holds after a run: the sections that the run measured are its own, the others are what they were. Times
 * and bytes of one section compare with one another only within one run, so a section is replaced as a whole;
 * trainings are independent of one another, so they add up: one of the same preset, backend, model and seed
 * is replaced, and so are those of the preset and backend on other sequences or of other epochs.
 *
 * @param old what the report held before; undefined where there was none
 * @param now what the run measured, with that run alone in `runs`
 */
export function mergeResults(old: Result | undefined, now: Result): Result {
  if (old === undefined) return now;
  const [run] = now.runs;
  const has = (section: Section) => run.sections.includes(section);
  const training = [
    ...old.training.filter((row) => !now.training.some((by) => replaces(by, row))),
    ...now.training,
  ];
  const runs = old.runs.map((each): Run => ({
    ...each,
    sections: each.sections.filter((section) =>
      section === "training" ? training.some(({ date }) => date === each.date) : !has(section)
    ),
  }));
  return {
    ...now,
    runs: [...runs.filter(({ sections }) => sections.length > 0), run],
    ...has("latency") ? {} : { latency: old.latency },
    ...has("memory") ? {} : { memory: old.memory },
    ...has("wkv") ? {} : { wkv: old.wkv, wkvNotes: old.wkvNotes },
    training,
  };
}

function replaces(by: TrainingRow, row: TrainingRow): boolean {
  if (by.preset !== row.preset || by.backend !== row.backend) return false;
  const same = by.epochs === row.epochs && by.trainSequences === row.trainSequences &&
    by.testSequences === row.testSequences;
  return !same || (by.model === row.model && by.seed === row.seed);
}

/**
 * The report in a folder, undefined where there is none.
 *
 * @throws {TypeError} if the file there is something else
 */
export async function readResult(folder: string): Promise<Result | undefined> {
  const path = `${folder}/report.json`;
  let text;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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
  return found;
}

/** The run that a section is from; the newest one where it is from several. */
export function runOf({ runs }: Result, section: Section): Run {
  return runs.findLast(({ sections }) => sections.includes(section)) ?? runs[runs.length - 1];
}
