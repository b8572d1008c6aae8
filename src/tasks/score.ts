/**
 * Scores predictions of the next token, in the same way for all predictors that are not networks.
 *
 * @module
 */
import { checkSequence, checkSequences, show } from "../check.ts";

/** The quality of predictions of tokens 1 to T - 1 of some sequences, each from those before it. */
export interface PredictionScore {
  /** Mean negative log-likelihood over all predicted tokens, in nats. */
  readonly loss: number;
  /** The share of predicted tokens that were the most probable one, 0 to 1; among equals, the lowest id counts. */
  readonly accuracy: number;
  /** e to the loss. */
  readonly perplexity: number;
  /** Entry t is the mean loss of token t + 1, over the sequences that have one. */
  readonly lossByPosition: Float64Array;
  /** Entry t is the accuracy at token t + 1, over the sequences that have one. */
  readonly accuracyByPosition: Float64Array;
  /** For each sequence, `[T - 1]`: entry t is the id predicted for token t + 1. */
  readonly predicted: readonly Uint16Array[];
}

/**
 * Scores a predictor.
 *
 * @param predictions returns the distributions `[V]` of tokens 1 to T - 1 of a sequence, in order
 */
export function scorePredictions(
  sequences: readonly ArrayLike<number>[],
  predictions: (tokens: ArrayLike<number>) => Iterable<Float64Array>,
): PredictionScore {
  const positions = sequences.reduce((most, { length }) => Math.max(most, length), 0) - 1;
  const losses = new Float64Array(positions);
  const hits = new Float64Array(positions);
  const counts = new Float64Array(positions);
  const predicted = sequences.map((tokens) => {
    const ids = new Uint16Array(tokens.length - 1);
    let t = 0;
    for (const probabilities of predictions(tokens)) {
      const target = tokens[t + 1];
      ids[t] = mostProbable(probabilities);
      losses[t] -= Math.log(probabilities[target]);
      hits[t] += ids[t] === target ? 1 : 0;
      counts[t]++;
      t++;
    }
    return ids;
  });
  const loss = sum(losses) / sum(counts);
  return {
    loss,
    accuracy: sum(hits) / sum(counts),
    perplexity: Math.exp(loss),
    lossByPosition: losses.map((total, t) => total / counts[t]),
    accuracyByPosition: hits.map((total, t) => total / counts[t]),
    predicted,
  };
}

/** Checks that there are sequences, each with at least 2 ids from 0 to vocabulary - 1. */
export function checkTokenSequences(
  action: string,
  sequences: readonly ArrayLike<number>[],
  vocabulary: number,
): void {
  checkSequences(action, "sequences", sequences);
  for (const tokens of sequences) checkTokens(action, "a sequence", tokens, vocabulary, 2);
}

/** Checks that there are at least `shortest` ids from 0 to vocabulary - 1. */
export function checkTokens(
  action: string,
  name: string,
  tokens: ArrayLike<number>,
  vocabulary: number,
  shortest: number,
): void {
  checkSequence(action, name, tokens, shortest);
  for (let t = 0; t < tokens.length; t++) {
    const id = tokens[t];
    if (!(id >= 0 && id < vocabulary && Number.isInteger(id))) {
      throw new RangeError(
        `Cannot ${action}: token ids must be integers from 0 to ${vocabulary - 1}, current id is ${
          show(id)
        } ` +
          `at token ${t}`,
      );
    }
  }
}

function mostProbable(probabilities: Float64Array): number {
  let best = 0;
  for (let id = 1; id < probabilities.length; id++) if (probabilities[id] > probabilities[best]) best = id;
  return best;
}

function sum(numbers: Float64Array): number {
  return numbers.reduce((total, each) => total + each, 0);
}
