/**
 * The definition of the synthetic task.
 *
 * @module
 */
import { checkLength } from "../allocate.ts";
import { checkInteger, show } from "../check.ts";
import { checkNames } from "../names.ts";
import { type RandomSource, randomSource } from "../random.ts";

/** The sizes and probabilities of a task. */
export interface MotifTaskConfig {
  /** V, the number of different tokens; 64. */
  readonly vocabulary: number;
  /** The number of motifs in the bank; 16. */
  readonly motifs: number;
  /** M, the number of tokens in a motif; 8. */
  readonly motifLength: number;
  /** The fewest motifs in a sequence's cycle; 2. */
  readonly shortestCycle: number;
  /** The most motifs in a sequence's cycle; 4. */
  readonly longestCycle: number;
  /** K, the number of tokens that a slot chooses from; 2. */
  readonly alternatives: number;
  /** The probability that a slot's token is drawn again when its motif recurs; 1/4. */
  readonly flip: number;
}

/** One motif of the bank. */
export interface Motif {
  /** `[M]`; the token at the slot, the first of its alternatives, has no meaning. */
  readonly tokens: readonly number[];
  /** The position of the slot in the motif, from 1 to M - 1. */
  readonly slot: number;
  /** `[K]`, the distinct tokens that the slot chooses from. */
  readonly alternatives: readonly number[];
}

/** A task: its sizes and its bank. A plain object, the same for the same config and seed. */
export interface MotifTask {
  /** The sizes and probabilities, including defaults. */
  readonly config: MotifTaskConfig;
  /** The motifs that sequences are made of. */
  readonly bank: readonly Motif[];
}

const defaults: MotifTaskConfig = {
  vocabulary: 64,
  motifs: 16,
  motifLength: 8,
  shortestCycle: 2,
  longestCycle: 4,
  alternatives: 2,
  flip: 1 / 4,
};

/**
 * A synthetic next-token task that needs two kinds of memory: motifs of fixed tokens (short-term: the position in
 * the motif) that recur in an order specific to the sequence, with slots specific to the sequence (long-term: their
 * previous values).
 *
 * The bank is drawn once, by this function: every token of a motif uniformly from the vocabulary, its slot
 * uniformly from positions 1 to M - 1, and the slot's K alternatives uniformly without repetition. A sequence is
 * drawn as
 *
 *     m ~ uniform{shortestCycle .. longestCycle};   c_0 .. c_{m-1} ~ different motifs of the bank, in any order
 *     token t:  visit j = ⌊t / M⌋,  place p = t mod M,  motif c = c_{j mod m}
 *       p ≠ slot:         bank[c].tokens[p]
 *       p = slot, j < m:  s_j ~ uniform(alternatives)
 *       p = slot, j ≥ m:  s_j = s_{j-m} with probability 1 - flip, else s_j ~ uniform(alternatives)
 *
 * A flip draws from all alternatives, including the current one, and the result stays until the next flip. A slot
 * therefore repeats its last token with probability 1 - flip + flip / K: 7/8 by default.
 *
 * @param config differences from the default sizes; `{}` for none
 * @param seed an integer from 0 to 2⁵³ - 1, from which the bank is drawn
 * @returns the task
 * @throws {TypeError} if a size is not a number, or has an unknown name
 * @throws {RangeError} if a size or the seed is out of range: the vocabulary 2 to 65,536 and not below the
 *   alternatives, which are at least 1; the motif length at least 2; 1 ≤ shortestCycle ≤ longestCycle ≤ motifs;
 *   flip from 0 to 1
 *
 * @example
 * ```ts
 * import { motifTask } from "@seqmix/seqmix";
 *
 * const task = motifTask({ motifs: 8 }, 1);
 * console.log(task.config.vocabulary, task.bank.length, task.bank[0].tokens.length); // 64 8 8
 * ```
 *
 * The structure is that of the task in "Deconstructing RWKV, Part 3": 64 tokens, repeating patterns, two memories.
 */
export function motifTask(
  config: { readonly [K in keyof MotifTaskConfig]?: MotifTaskConfig[K] | undefined },
  seed: number,
): MotifTask {
  checkNames(action, config, defaults, "config");
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  const full: MotifTaskConfig = { ...defaults, ...Object.fromEntries(given) };
  checkConfig(full);
  checkInteger(action, "seed", seed, 0);

  const random = randomSource(seed);
  return { config: full, bank: Array.from({ length: full.motifs }, () => drawMotif(full, random)) };
}

/** `count` distinct integers from 0 to n - 1, in random order: the beginning of a shuffle. */
export function drawDifferent(random: RandomSource, count: number, n: number): number[] {
  const all = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + random.integer(n - i);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all.slice(0, count);
}

const action = "make a motif task";

function drawMotif(config: MotifTaskConfig, random: RandomSource): Motif {
  const { vocabulary, motifLength } = config;
  const tokens = Array.from({ length: motifLength }, () => random.integer(vocabulary));
  const slot = 1 + random.integer(motifLength - 1);
  const alternatives = drawDifferent(random, config.alternatives, vocabulary);
  tokens[slot] = alternatives[0];
  return { tokens, slot, alternatives };
}

function checkConfig(config: MotifTaskConfig): void {
  const { vocabulary, motifs, shortestCycle, flip } = config;
  checkInteger(action, "vocabulary", vocabulary, 2, 2 ** 16);
  checkInteger(action, "motifs", motifs, 1);
  checkLength(action, "motifs", motifs);
  checkInteger(action, "motifLength", config.motifLength, 2);
  checkLength(action, "motifLength", config.motifLength);
  checkInteger(action, "shortestCycle", shortestCycle, 1, motifs);
  checkInteger(action, "longestCycle", config.longestCycle, shortestCycle, motifs);
  checkInteger(action, "alternatives", config.alternatives, 1, vocabulary);
  if (typeof flip !== "number") {
    throw new TypeError(`Cannot ${action}: flip must be a number, current value is ${show(flip)}`);
  }
  if (!(flip >= 0 && flip <= 1)) {
    throw new RangeError(`Cannot ${action}: flip must be from 0 to 1, current value is ${flip}`);
  }
}
