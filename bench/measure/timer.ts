/**
 * Round-robin timing: every round times each subject once, so that a change in the machine's speed affects all
 * equally.
 *
 * @module
 */
import { randomSource, shuffle } from "../../src/random.ts";

/** A subject of timing. */
export interface Timed {
  /** Runs it `times` times in a row; returns the ms per run. */
  time(times: number): number | Promise<number>;
}

/** The extent of a measurement. */
export interface Effort {
  /**
   * The time that each subject runs before its first sample, so that the engine compiles it and its duration is
   * known.
   */
  readonly warmUpMs: number;
  /**
   * The time that it runs unmeasured before each sample, so that a token follows other tokens, with its weights in
   * the caches. A subject whose single run takes longer has no lead-in.
   */
  readonly leadInMs: number;
  /** The shortest sample: the mean of as many runs as fill it. */
  readonly sampleMs: number;
  readonly rounds: number;
  /** The most time for all samples of one subject. Slow subjects are timed only in some rounds, at least three. */
  readonly budgetMs: number;
  /**
   * Whether slow subjects are timed in every round as well, with fewer rounds, so that samples of a round can be
   * compared.
   */
  readonly together?: boolean;
}

/** Reports the completed and the total amount of work. */
export type Progress = (done: number, total: number) => void;

/** Times a function of this process with a clock. */
export function clocked(
  run: (times: number) => void | Promise<void>,
  clock: () => number = () => performance.now(),
): Timed {
  return {
    time(times) {
      const start = clock();
      const running = run(times);
      // Without a promise, an await would still cost a microtask.
      const each = () => (clock() - start) / times;
      return running instanceof Promise ? running.then(each) : each();
    },
  };
}

/** The schedule of a subject. */
interface Turn {
  readonly thing: Timed;
  readonly leadIn: number;
  readonly runs: number;
  /** The number of rounds in which it is timed. */
  readonly turns: number;
  /** In ms per run. */
  readonly samples: number[];
}

/** Subjects after their warm-up, timed round by round. */
export class RoundRobin {
  /** The number of rounds until all subjects have all their samples. */
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

  /** For each subject its samples so far, in ms per run. */
  get samples(): readonly (readonly number[])[] {
    return this.#turns.map(({ samples }) => samples);
  }

  /** Times each subject that is due in this round, in random order. */
  async round(): Promise<void> {
    const before = this.#done++;
    const order = [...this.#turns.keys()];
    shuffle(order, this.#random);
    for (const i of order) {
      const { thing, leadIn, runs, turns, samples } = this.#turns[i];
      const upTo = (round: number) => Math.floor(round * turns / this.rounds);
      if (upTo(this.#done) === upTo(before)) continue;
      if (leadIn > 0) await thing.time(leadIn);
      const sample = thing.time(runs);
      samples.push(typeof sample === "number" ? sample : await sample);
    }
  }
}

/** Times subjects in all rounds; returns the samples of each, in ms per run. */
export async function roundRobin(
  things: readonly Timed[],
  effort: Effort,
  progress: Progress = () => {},
): Promise<readonly (readonly number[])[]> {
  const robin = await RoundRobin.prepare(things, effort);
  for (let done = 0; done < robin.rounds; progress(++done, robin.rounds)) await robin.round();
  return robin.samples;
}

/** Runs a subject for some time, at least once; returns the fewest ms per run. */
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
