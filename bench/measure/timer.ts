/**
 * Round-robin timing: in each round everything has its turn, so that a machine that drifts drifts for all.
 *
 * @module
 */
import { randomSource } from "../../src/random.ts";

/** Something to time. */
export interface Timed {
  /** Runs it some times in a row, and says how many ms a run took. */
  time(times: number): number | Promise<number>;
}

/** How long to measure. */
export interface Effort {
  /** How long a thing runs before its first sample, for the engine to compile it and for its cost to be known. */
  readonly warmUpMs: number;
  /**
   * How long it runs unclocked before each sample: a token follows other tokens, and not what pushed its weights out of
   * the caches. What takes longer for one run has no lead-in.
   */
  readonly leadInMs: number;
  /** The shortest sample: the mean of as many runs as fill it. */
  readonly sampleMs: number;
  readonly rounds: number;
  /** The most time for the samples of one thing. What is slow has a turn in some of the rounds only, but in three at least. */
  readonly budgetMs: number;
  /** Whether the slow has its turn in every round too, so that samples of one round can be compared, and there are fewer rounds. */
  readonly together?: boolean;
}

/** How much was done of the whole. */
export type Progress = (done: number, total: number) => void;

/** What runs here, by this clock. */
export function clocked(
  run: (times: number) => void | Promise<void>,
  clock: () => number = () => performance.now(),
): Timed {
  return {
    time(times) {
      const start = clock();
      const running = run(times);
      // An await costs a turn of the queue even where there is nothing to wait for.
      const each = () => (clock() - start) / times;
      return running instanceof Promise ? running.then(each) : each();
    },
  };
}

/** A thing's part in the rounds. */
interface Turn {
  readonly thing: Timed;
  readonly leadIn: number;
  readonly runs: number;
  /** In how many of the rounds it has a turn. */
  readonly turns: number;
  /** ms a run */
  readonly samples: number[];
}

/** Things that were warmed up, and are timed round by round. */
export class RoundRobin {
  /** How many rounds give everything all the samples that it is to have. */
  readonly rounds: number;
  readonly #turns: readonly Turn[];
  readonly #random = randomSource(5);
  #done = 0;

  private constructor(turns: readonly Turn[]) {
    this.#turns = turns;
    this.rounds = turns.reduce((most, { turns }) => Math.max(most, turns), 0);
  }

  static async prepare(things: readonly Timed[], effort: Effort): Promise<RoundRobin> {
    const { warmUpMs, leadInMs, sampleMs, rounds, budgetMs, together } = effort;
    const costs: number[] = [];
    for (const thing of things) costs.push(Math.max(1e-5, await warmUp(thing, warmUpMs)));
    const slowest = Math.max(...costs);
    return new RoundRobin(things.map((thing, i) => {
      const runs = Math.max(1, Math.ceil(sampleMs / costs[i]));
      const counted = together ? Math.max(slowest, sampleMs) : runs * costs[i];
      return {
        thing,
        leadIn: costs[i] > leadInMs ? 0 : Math.ceil(leadInMs / costs[i]),
        runs,
        turns: Math.min(rounds, Math.max(3, Math.floor(budgetMs / counted))),
        samples: [],
      };
    }));
  }

  /** Of each thing its samples so far, in ms a run. */
  get samples(): readonly (readonly number[])[] {
    return this.#turns.map(({ samples }) => samples);
  }

  /** Gives each thing that has a turn in this round its turn, in an order drawn anew. */
  async round(): Promise<void> {
    const before = this.#done++;
    for (const i of shuffled(this.#turns.length, this.#random.integer)) {
      const { thing, leadIn, runs, turns, samples } = this.#turns[i];
      const upTo = (round: number) => Math.floor(round * turns / this.rounds);
      if (upTo(this.#done) === upTo(before)) continue;
      if (leadIn > 0) await thing.time(leadIn);
      const sample = thing.time(runs);
      samples.push(typeof sample === "number" ? sample : await sample);
    }
  }
}

/** Times things in all rounds: of each its samples, in ms a run. */
export async function roundRobin(
  things: readonly Timed[],
  effort: Effort,
  progress: Progress = () => {},
): Promise<readonly (readonly number[])[]> {
  const robin = await RoundRobin.prepare(things, effort);
  for (let done = 0; done < robin.rounds; progress(++done, robin.rounds)) await robin.round();
  return robin.samples;
}

/** Runs a thing for so long, once at least: the fewest ms that a run took. */
async function warmUp(thing: Timed, warmUpMs: number): Promise<number> {
  let fastest = Infinity, spent = 0;
  for (let times = 1; spent < warmUpMs || fastest === Infinity; times *= 2) {
    const left = Math.ceil((warmUpMs - spent) / Math.max(1e-5, Math.min(fastest, warmUpMs)));
    const count = Math.max(1, Math.min(times, left));
    const each = await thing.time(count);
    fastest = Math.min(fastest, each);
    spent += Math.max(1e-5, each * count);
  }
  return fastest;
}

/** The numbers below a count in an order of their own. */
function shuffled(count: number, integer: (n: number) => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
