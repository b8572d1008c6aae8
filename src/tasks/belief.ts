/**
 * Exact Bayesian inference of a sequence's cycle from its tokens so far.
 *
 * The cycle is the only hidden variable of a sequence. Given the cycle, the motif of every visit is known, every
 * slot's token has been observed, and the next token's distribution follows from the equation of `motifTask`. A
 * belief is a list of the cycles that are consistent with the tokens, each with its probability; only cycles of
 * probability 0 are omitted. The list stays short because a wrong motif is contradicted within a token or two.
 *
 * @module
 */
import type { Motif, MotifTask } from "./motif_task.ts";

/** A prefix of a cycle that is consistent with the tokens so far. */
interface Hypothesis {
  /** The motifs of the visits so far, until the cycle closes. */
  readonly cycle: readonly number[];
  /** Whether the first motif has recurred, so that the cycle is known completely. */
  readonly closed: boolean;
  readonly probability: number;
}

/** The hypotheses, their probabilities summing to 1. */
export type Belief = readonly Hypothesis[];

/** The belief before the first token. */
export const beginning: Belief = [{ cycle: [], closed: false, probability: 1 }];

/**
 * The belief just before token t, from the belief after token t - 1: where a motif begins, each possible one is
 * added.
 */
export function expectToken(task: MotifTask, belief: Belief, t: number): Belief {
  if (t % task.config.motifLength !== 0) return belief;
  return belief.flatMap((hypothesis) => hypothesis.closed ? [hypothesis] : nextMotif(task, hypothesis));
}

/** The distribution `[V]` of the next token: those of the hypotheses, weighted by their probabilities. */
export function predictToken(
  task: MotifTask,
  belief: Belief,
  tokens: ArrayLike<number>,
  t: number,
): Float64Array {
  const probabilities = new Float64Array(task.config.vocabulary);
  for (const hypothesis of belief) {
    const { motif, place, previous } = locate(task, hypothesis, tokens, t);
    const candidates = place === motif.slot ? motif.alternatives : [motif.tokens[place]];
    for (const token of candidates) {
      probabilities[token] += hypothesis.probability * emission(task, motif, place, previous, token);
    }
  }
  return probabilities;
}

/** The belief after token t, by Bayes' rule; empty if the task cannot generate these tokens. */
export function observeToken(task: MotifTask, belief: Belief, tokens: ArrayLike<number>, t: number): Belief {
  const weighted = belief.map((hypothesis) => {
    const { motif, place, previous } = locate(task, hypothesis, tokens, t);
    return {
      ...hypothesis,
      probability: hypothesis.probability * emission(task, motif, place, previous, tokens[t]),
    };
  });
  const possible = weighted.filter(({ probability }) => probability > 0);
  const total = possible.reduce((sum, { probability }) => sum + probability, 0);
  return possible.map((hypothesis) => ({ ...hypothesis, probability: hypothesis.probability / total }));
}

/**
 * After k different motifs, the cycle closes with the probability that its length is k given that it is at least k;
 * else a new motif follows.
 */
function nextMotif(task: MotifTask, { cycle, probability }: Hypothesis): Hypothesis[] {
  const { motifs, shortestCycle, longestCycle } = task.config;
  const k = cycle.length;
  const close = k < shortestCycle ? 0 : 1 / (longestCycle - k + 1);
  const next: Hypothesis[] = [];
  if (close > 0) next.push({ cycle, closed: true, probability: probability * close });
  if (close < 1) {
    const each = probability * (1 - close) / (motifs - k);
    for (let motif = 0; motif < motifs; motif++) {
      if (!cycle.includes(motif)) next.push({ cycle: [...cycle, motif], closed: false, probability: each });
    }
  }
  return next;
}

/** The position of token t under a hypothesis, and the token one cycle earlier, if there is one. */
function locate(task: MotifTask, { cycle }: Hypothesis, tokens: ArrayLike<number>, t: number) {
  const { motifLength } = task.config;
  const earlier = t - motifLength * cycle.length;
  return {
    motif: task.bank[cycle[Math.floor(t / motifLength) % cycle.length]],
    place: t % motifLength,
    previous: earlier >= 0 ? tokens[earlier] : undefined,
  };
}

function emission(
  task: MotifTask,
  motif: Motif,
  place: number,
  previous: number | undefined,
  token: number,
): number {
  if (place !== motif.slot) return token === motif.tokens[place] ? 1 : 0;
  const drawn = motif.alternatives.includes(token) ? 1 / motif.alternatives.length : 0;
  if (previous === undefined) return drawn;
  const { flip } = task.config;
  return flip * drawn + (token === previous ? 1 - flip : 0);
}
