/**
 * Timing of many things in one run, so that a machine that drifts drifts for all of them.
 *
 * @module
 */
import { randomSource } from "../../src/random.ts";

/** Something to time. */
export interface Timed {
  /** Runs it this many times, and ends when the result is there. */
  run(times: number): void | Promise<void>;
}

/** How long to measure. */
export interface Effort {
  /** The shortest sample, in ms: what is faster is run several times a sample, and the sample is their mean. */
  readonly sampleMs: number;
  /** The most samples of one thing. */
  readonly samples: number;
  /** The most time for one thing, in ms; what is so slow that it allows fewer than 3 samples has 3. */
  readonly budgetMs: number;
}

/** Enough for a p99 of everything that the default report times. */
export const fullEffort: Effort = { sampleMs: 0.1, samples: 200, budgetMs: 12_000 };

/** How much was done of the whole. */
export type Progress = (doneMs: number, totalMs: number) => void;

interface Plan {
  readonly repeats: number;
  readonly samples: number;
  /** What a sample takes, in ms. */
  readonly cost: number;
}

/**
 * Times everything in rounds. In each round everything has its turn, in an order drawn anew, so that nothing always
 * comes after the same neighbour; what is slow has a turn in some of the rounds only, spread evenly. What is fast runs
 * unclocked for a moment before its turn: a token follows other tokens, and not what pushed its weights out of the
 * caches.
 *
 * @returns for each thing its samples, in ms a run
 */
export async function interleave(
  things: readonly Timed[],
  effort: Effort,
  progress: Progress = () => {},
  clock: () => number = () => performance.now(),
): Promise<number[][]> {
  const plans: Plan[] = [];
  for (const thing of things) plans.push(await plan(thing, effort, clock));
  const total = plans.reduce((sum, { cost, samples }) => sum + cost * samples, 0);
  const rounds = plans.reduce((most, { samples }) => Math.max(most, samples), 0);
  const random = randomSource(5);
  const results: number[][] = things.map(() => []);
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const i of shuffled(things.length, random.integer)) {
      const { repeats, samples, cost } = plans[i];
      if (Math.floor((round + 1) * samples / rounds) === Math.floor(round * samples / rounds)) continue;
      if (cost < leadInMs) await things[i].run(Math.ceil(leadInMs * repeats / cost));
      results[i].push(await time(things[i], repeats, clock));
      done += cost;
      progress(done, total);
    }
  }
  return results;
}

/** How long a thing runs unclocked before each sample: weights of a few MB are back where they stay after that. */
const leadInMs = 2;
/** How long a thing runs before its first sample, for the engine to compile it and for its cost to be known. */
const warmUpMs = 60;

async function plan(
  thing: Timed,
  { sampleMs, samples, budgetMs }: Effort,
  clock: () => number,
): Promise<Plan> {
  let fastest = Infinity;
  const end = clock() + warmUpMs;
  do {
    fastest = Math.min(fastest, await time(thing, 1, clock));
  } while (clock() < end);
  const repeats = Math.max(1, Math.ceil(sampleMs / Math.max(fastest, 1e-5)));
  const cost = fastest * repeats;
  return { repeats, cost, samples: Math.min(samples, Math.max(3, Math.floor(budgetMs / cost))) };
}

/** ms a run */
async function time(thing: Timed, repeats: number, clock: () => number): Promise<number> {
  const start = clock();
  const running = thing.run(repeats);
  // An await costs a turn of the queue even where there is nothing to wait for.
  if (running instanceof Promise) await running;
  return (clock() - start) / repeats;
}

/** The numbers below a count in an order of their own. */
export function shuffled(count: number, integer: (n: number) => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
