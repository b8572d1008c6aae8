/**
 * The best achievable predictions of the synthetic task.
 *
 * @module
 */
import { beginning, type Belief, expectToken, observeToken, predictToken } from "./belief.ts";
import type { MotifTask } from "./motif_task.ts";
import { checkTokens, checkTokenSequences, type PredictionScore, scorePredictions } from "./score.ts";

/**
 * The exact distribution of the next token, given the task and the tokens before it:
 *
 *     P(x_t = v | x_0 .. x_{t-1}) = Σ_cycle P(cycle | x_0 .. x_{t-1}) · P(x_t = v | cycle, x_0 .. x_{t-1})
 *
 * It knows the bank and the probabilities of `motifTask`, and that a sequence starts at the start of a motif. Of
 * the sequence it only knows the tokens before this one, but not the cycle, its length, or the slots. The sum is
 * over all possible cycles, so the result is exact up to rounding.
 *
 * @param task a task of `motifTask`
 * @param prefix the ids of the tokens before, `[t]`; empty for the first token's distribution
 * @returns probabilities `[V]`
 * @throws {TypeError} if the prefix is not a list
 * @throws {RangeError} if an id is out of range, or the task cannot generate such a prefix
 *
 * @example The token after a motif's first one is certain, unless two motifs of the bank begin with the same token
 * ```ts
 * import { idealProbabilities, motifTask } from "@seqmix/seqmix";
 *
 * const task = motifTask({}, 1);
 * console.log(Math.max(...idealProbabilities(task, task.bank[0].tokens.slice(0, 1))));
 * ```
 */
export function idealProbabilities(task: MotifTask, prefix: ArrayLike<number>): Float64Array {
  const action = "compute ideal probabilities";
  checkTokens(action, "prefix", prefix, task.config.vocabulary, 0);
  const belief = infer(task, prefix, action);
  return predictToken(task, expectToken(task, belief, prefix.length), prefix, prefix.length);
}

/**
 * The best possible loss and accuracy on sequences of the task: those of the predictor that uses
 * `idealProbabilities`, which no predictor that sees the same tokens can beat except by chance. As with a model,
 * tokens 1 to T - 1 are predicted, each from all before it, and the means are over all of them.
 *
 * @param task a task of `motifTask`
 * @param sequences sequences of that task, each `[T]` ids with T at least 2; lengths may differ
 * @returns the score on these sequences, in total and by position
 * @throws {TypeError} if there is no sequence, or one is shorter than 2
 * @throws {RangeError} if an id is out of range, or the task cannot generate such a sequence
 *
 * @example
 * ```ts
 * import { ceiling, motifTask, sampleSequences } from "@seqmix/seqmix";
 *
 * const task = motifTask({}, 1);
 * const { loss, accuracy } = ceiling(task, sampleSequences(task, { count: 20, length: 128, seed: 2 }));
 * console.log(loss.toFixed(3), accuracy.toFixed(3)); // near 0.11 and 0.96
 * ```
 */
export function ceiling(task: MotifTask, sequences: readonly ArrayLike<number>[]): PredictionScore {
  const action = "compute the ceiling";
  checkTokenSequences(action, sequences, task.config.vocabulary);
  return scorePredictions(sequences, (tokens) => idealPredictions(task, tokens, action));
}

/** Infers the belief about the cycle after some tokens. */
export function infer(task: MotifTask, tokens: ArrayLike<number>, action: string): Belief {
  let belief = beginning;
  for (let t = 0; t < tokens.length; t++) {
    belief = learn(task, expectToken(task, belief, t), tokens, t, action);
  }
  return belief;
}

function* idealPredictions(
  task: MotifTask,
  tokens: ArrayLike<number>,
  action: string,
): Generator<Float64Array> {
  let belief = beginning;
  for (let t = 0; t < tokens.length; t++) {
    belief = expectToken(task, belief, t);
    if (t > 0) yield predictToken(task, belief, tokens, t);
    belief = learn(task, belief, tokens, t, action);
  }
}

function learn(
  task: MotifTask,
  belief: Belief,
  tokens: ArrayLike<number>,
  t: number,
  action: string,
): Belief {
  const after = observeToken(task, belief, tokens, t);
  if (after.length === 0) {
    throw new RangeError(
      `Cannot ${action}: tokens must be a sequence of the task, current token ${t} cannot be ${tokens[t]}`,
    );
  }
  return after;
}
