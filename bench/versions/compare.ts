/**
 * Times two versions of a computation in the same rounds.
 *
 * @module
 */
import { denoRun, outputOf } from "../measure/process.ts";
import { median } from "../measure/statistics.ts";
import type { ModelName, PresetName } from "../measure/subjects.ts";
import { type Effort, roundRobin, type Timed } from "../measure/timer.ts";
import { startOnce } from "../peers/startup.ts";
import { entryOf, type Library } from "./library.ts";
import { startWork, unitsOf, type Work } from "./work.ts";

/** A model, its work, and the number of rounds. */
export interface Case {
  readonly preset: PresetName;
  readonly model: ModelName;
  readonly work: Work;
  readonly rounds: number;
}

/** The folders of both checkouts. */
export interface Checkouts {
  readonly before: string;
  readonly now: string;
}

/** The times of both. */
export interface Times {
  /** The medians over the rounds. */
  readonly beforeMs: number;
  readonly nowMs: number;
  /** The median of the ratios of now to before in each round. */
  readonly ratio: number;
}

/** Both are timed in every round, so that a change in the machine's speed affects both. */
const steadyPace = { warmUpMs: 1500, leadInMs: 5, sampleMs: 40, budgetMs: Infinity, together: true };

/** Times a case in a new process, which has compiled nothing else. */
export async function compareInProcess(checkouts: Checkouts, timed: Case): Promise<Times> {
  const child = denoRun(new URL("child.ts", import.meta.url), JSON.stringify([checkouts, timed]));
  return JSON.parse(await outputOf(child));
}

/** Times a case with two libraries, per token or per step. */
export async function compareCase(
  { before, now }: { readonly before: Library; readonly now: Library },
  { preset, model, work, rounds }: Case,
  pace: Omit<Effort, "rounds"> = steadyPace,
): Promise<Times> {
  using old = await startWork(before, preset, model, work);
  using own = await startWork(now, preset, model, work);
  const times = await compareTimed([old, own], { ...pace, rounds });
  const units = unitsOf(work);
  return { ...times, beforeMs: times.beforeMs / units, nowMs: times.nowMs / units };
}

/** Times `import` and `createWasm()`, each in new processes; the first of both fills the cache. */
export async function compareStartup({ before, now }: Checkouts, rounds: number): Promise<Times> {
  const starting = (folder: string): Timed => ({
    time: async () => (await startOnce(entryOf(folder))).totalMs,
  });
  const once = { ...steadyPace, rounds, warmUpMs: 0, leadInMs: 0, sampleMs: 0 };
  return await compareTimed([starting(before), starting(now)], once);
}

async function compareTimed(things: readonly [before: Timed, now: Timed], effort: Effort): Promise<Times> {
  const [before, now] = await roundRobin(things, effort);
  return {
    beforeMs: median(before),
    nowMs: median(now),
    ratio: median(now.map((ms, round) => ms / before[round])),
  };
}
