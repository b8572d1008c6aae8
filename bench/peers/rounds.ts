/**
 * Speeds of things that run for long, in rounds: in each of them everything has a turn, so that two speeds of one round
 * are of about the same moment. A core that is now fast and now slow then changes their ratio less than either. (What
 * takes a moment is timed by `interleave`, in medians of many samples.)
 *
 * @module
 */
import { randomSource } from "../../src/random.ts";
import { type Progress, shuffled } from "../report/interleave.ts";

/** Something that runs. */
export interface Paced {
  /** How many threads it has. */
  readonly threads: number;
  /** Runs for about so long, once at least, and says how many runs a ms it had. */
  pace(ms: number): Promise<number>;
}

/** How long to measure. */
export interface RoundsEffort {
  /** How long everything runs before the first round, for the engine to compile it and for its pace to be known. */
  readonly warmUpMs: number;
  /**
   * How long it runs unclocked before each turn, once at least: threads that slept while others had their turn are awake
   * again. Where there is one thread, what takes longer for a run has none.
   */
  readonly leadInMs: number;
  /** How long a turn is, or one run where that takes longer. */
  readonly turnMs: number;
  /** The most rounds. */
  readonly rounds: number;
  /** The most time for all rounds; 3 are taken whatever they cost. */
  readonly budgetMs: number;
}

/** Of each thing its paces, one a round. */
export async function inRounds(
  things: readonly Paced[],
  { warmUpMs, leadInMs, turnMs, rounds, budgetMs }: RoundsEffort,
  progress: Progress = () => {},
): Promise<number[][]> {
  const costs: number[] = [];
  for (const thing of things) costs.push(1 / await thing.pace(warmUpMs));
  const leadsIn = costs.map((cost, i) => things[i].threads > 1 || cost <= leadInMs);
  const round = costs.reduce(
    (sum, cost, i) => sum + Math.max(turnMs, cost) + (leadsIn[i] ? Math.max(leadInMs, cost) : 0),
    0,
  );
  const count = Math.min(rounds, Math.max(3, Math.floor(budgetMs / round)));
  const random = randomSource(5);
  const paces: number[][] = things.map(() => []);
  for (let done = 0; done < count; progress(++done, count)) {
    for (const i of shuffled(things.length, random.integer)) {
      if (leadsIn[i]) await things[i].pace(leadInMs);
      paces[i].push(await things[i].pace(turnMs));
    }
  }
  return paces;
}
