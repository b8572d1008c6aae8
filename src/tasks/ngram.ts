/**
 * The n-gram baseline: a prediction from the last few tokens only.
 *
 * @module
 */
import { checkInteger } from "../check.ts";
import { checkNames } from "../names.ts";
import { checkTokens, checkTokenSequences, type PredictionScore, scorePredictions } from "./score.ts";

/** An n-gram model: how often each token followed each context of up to `order` - 1 tokens. */
export interface NgramModel {
  /** n: a token is predicted from the n - 1 before it. */
  readonly order: number;
  /** V, the number of different tokens. */
  readonly vocabulary: number;
  /** The empty context. Longer contexts are its descendants, the newest token first. */
  readonly root: NgramContext;
}

/** The counts of the tokens that followed a context. */
export interface NgramContext {
  /** c(h, ·), the number of times that each token followed. */
  readonly followers: ReadonlyMap<number, number>;
  /** c(h), the sum of these. */
  readonly total: number;
  /** The contexts with one more token, indexed by that token, which precedes the others. */
  readonly longer: ReadonlyMap<number, NgramContext>;
}

/**
 * Counts the n-grams of sequences. As usual, an n-gram of order n predicts a token from the n - 1 before it: order
 * 1 only uses the frequencies of tokens.
 *
 * @param sequences sequences of `[T]` ids with T at least 2. Tokens 1 to T - 1, which are the predicted ones, are
 *   counted
 * @param options `order`, n; `vocabulary`, V
 * @returns the model
 * @throws {TypeError} if there is no sequence, or one is shorter than 2, or on an unknown option
 * @throws {RangeError} if the order or the vocabulary is not an integer of at least 1, or an id is out of range
 *
 * @example
 * ```ts
 * import { evaluateNgram, fitNgram, motifTask, trainAndTest } from "@seqmix/seqmix";
 *
 * const { train, test } = trainAndTest(motifTask({}, 1), { train: 50, test: 10, length: 128, seed: 2 });
 * const { accuracy } = evaluateNgram(fitNgram(train, { order: 4, vocabulary: 64 }), test);
 * console.log(accuracy > 0.5); // true
 * ```
 */
export function fitNgram(
  sequences: readonly ArrayLike<number>[],
  options: { readonly order: number; readonly vocabulary: number },
): NgramModel {
  const action = "fit an n-gram model";
  checkNames(action, options, { order: 0, vocabulary: 0 });
  const { order, vocabulary } = options;
  checkInteger(action, "order", order, 1);
  checkInteger(action, "vocabulary", vocabulary, 1, 2 ** 16);
  checkTokenSequences(action, sequences, vocabulary);

  const root = emptyContext();
  for (const tokens of sequences) {
    for (let t = 1; t < tokens.length; t++) count(root, tokens, t, order);
  }
  return { order, vocabulary, root };
}

/**
 * The distribution of the next token by an n-gram model. Every order is interpolated with the one below it as by
 * Witten and Bell: with c(h, v) the number of times that v followed the context h, D(h) the number of different
 * tokens that did, and h' the context without its oldest token,
 *
 *     P(v | h) = (c(h, v) + D(h)·P(v | h')) / (c(h) + D(h)),    below the empty context 1 / V
 *
 * For a context that was never seen, P(v | h) = P(v | h').
 *
 * @param model a model of `fitNgram`
 * @param prefix the ids of the tokens before, `[t]`
 * @returns probabilities `[V]`, all positive
 * @throws {TypeError} if the prefix is not a list
 * @throws {RangeError} if an id is out of range
 *
 * @example
 * ```ts
 * import { fitNgram, ngramProbabilities } from "@seqmix/seqmix";
 *
 * const model = fitNgram([[0, 1, 0, 1, 0, 1]], { order: 2, vocabulary: 2 });
 * console.log(ngramProbabilities(model, [1])); // 0 is more probable
 * ```
 *
 * Method C of Witten and Bell, "The zero-frequency problem" (1991), interpolated as in Chen and Goodman, "An empirical
 * study of smoothing techniques for language modeling" (1998).
 */
export function ngramProbabilities(model: NgramModel, prefix: ArrayLike<number>): Float64Array {
  checkTokens("compute n-gram probabilities", "prefix", prefix, model.vocabulary, 0);
  return interpolate(model, prefix, prefix.length);
}

/**
 * The loss and accuracy of an n-gram model, measured like a network's: tokens 1 to T - 1 are predicted, each from
 * those before it, and the means are over all of them.
 *
 * @param model a model of `fitNgram`
 * @param sequences each `[T]` ids with T at least 2; lengths may differ
 * @returns the score, in total and by position
 * @throws {TypeError} if there is no sequence, or one is shorter than 2
 * @throws {RangeError} if an id is out of range
 *
 * @example
 * ```ts
 * import { evaluateNgram, fitNgram } from "@seqmix/seqmix";
 *
 * const model = fitNgram([[0, 1, 0, 1, 0, 1]], { order: 2, vocabulary: 2 });
 * console.log(evaluateNgram(model, [[1, 0, 1]]).accuracy); // 1
 * ```
 */
export function evaluateNgram(model: NgramModel, sequences: readonly ArrayLike<number>[]): PredictionScore {
  checkTokenSequences("evaluate an n-gram model", sequences, model.vocabulary);
  return scorePredictions(sequences, function* (tokens) {
    for (let t = 1; t < tokens.length; t++) yield interpolate(model, tokens, t);
  });
}

interface Counting extends NgramContext {
  followers: Map<number, number>;
  total: number;
  longer: Map<number, Counting>;
}

function emptyContext(): Counting {
  return { followers: new Map(), total: 0, longer: new Map() };
}

/** Counts token t in its contexts of 0 to order - 1 tokens. */
function count(root: Counting, tokens: ArrayLike<number>, t: number, order: number): void {
  let context = root;
  for (let age = 1;; age++) {
    context.followers.set(tokens[t], (context.followers.get(tokens[t]) ?? 0) + 1);
    context.total++;
    if (age === order || age > t) return;
    const older = tokens[t - age];
    let longer = context.longer.get(older);
    if (longer === undefined) context.longer.set(older, longer = emptyContext());
    context = longer;
  }
}

/** The distribution of token t, interpolated from the shortest context to the longest that was seen. */
function interpolate(model: NgramModel, tokens: ArrayLike<number>, t: number): Float64Array {
  const probabilities = new Float64Array(model.vocabulary).fill(1 / model.vocabulary);
  let context: NgramContext | undefined = model.root;
  // Contexts are at most as long as the model's order allows, so the loop ends.
  for (let age = 1; context !== undefined; age++) {
    const { followers, total, longer }: NgramContext = context;
    const scale = 1 / (total + followers.size);
    for (let id = 0; id < probabilities.length; id++) probabilities[id] *= followers.size * scale;
    for (const [id, times] of followers) probabilities[id] += times * scale;
    context = age <= t ? longer.get(tokens[t - age]) : undefined;
  }
  return probabilities;
}
