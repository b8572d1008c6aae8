/**
 * How well a model predicts.
 *
 * @module
 */
import { show } from "../check.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { sample } from "../ops/sample/mod.ts";
import { read } from "../transfer.ts";
import { backendOf } from "../tree.ts";
import type { LanguageModel } from "./language_model.ts";

/** How well a model predicts, over all tokens but the first of each sequence. */
export interface Evaluation {
  /** The mean negative log-likelihood of a token, in nats. */
  readonly loss: number;
  /** The share of tokens that were the most probable, 0 to 1. */
  readonly accuracy: number;
  /** e^loss */
  readonly perplexity: number;
}

/** How many sequences are run as one batch. */
const batchSize = 32;

/**
 * Predicts every token of the sequences from those before it. Sequences of one length are run together.
 *
 * @param model which model
 * @param params its parameters; it runs on their backend
 * @param sequences lists of ids, of at least two tokens each
 * @returns loss, accuracy and perplexity, every predicted token counting the same
 * @throws {TypeError} if there is no sequence, or one of fewer than two tokens
 * @throws {RangeError} on an id out of range
 *
 * @example
 * ```ts
 * import { evaluate, lstmModel, presets } from "@seqmix/seqmix";
 *
 * const params = lstmModel.init(presets.matched.lstm, 1);
 * const { loss, accuracy } = await evaluate(lstmModel, params, [[1, 2, 3, 4], [5, 6]]);
 * console.log(loss, accuracy); // untrained: about ln 64, and 0 or so
 * ```
 */
export async function evaluate<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  sequences: readonly ArrayLike<number>[],
): Promise<Evaluation> {
  const action = "evaluate";
  if (!Array.isArray(sequences) || sequences.length === 0) {
    throw new TypeError(
      `Cannot ${action}: sequences must be a list of at least one, current value is ${show(sequences)}`,
    );
  }
  for (const sequence of sequences) {
    if (!(sequence?.length >= 2)) {
      throw new TypeError(
        `Cannot ${action}: a sequence must hold at least 2 ids, current value is ${show(sequence)}`,
      );
    }
  }
  const backend = backendOf(action, "params", params);
  let total = 0, correct = 0, count = 0;
  for (const batch of batches(sequences)) {
    const inputs = batch.map((sequence) => sequence.slice(0, -1));
    const targets = batch.map((sequence) => sequence.slice(1));
    const results = backend.scope(() => {
      const { logits } = model.forward(params, inputs, model.initialState(params, batch.length));
      return { loss: crossEntropy(logits, targets), predicted: sample(logits, { temperature: 0 }) };
    });
    const [loss] = await read(results.loss);
    const predicted = await read(results.predicted);
    backend.free(results);
    const expected = targets.flat();
    total += loss * expected.length;
    count += expected.length;
    correct += expected.filter((id, i) => id === predicted[i]).length;
  }
  const loss = total / count;
  return { loss, accuracy: correct / count, perplexity: Math.exp(loss) };
}

/** The sequences in batches of one length. */
function* batches(sequences: readonly ArrayLike<number>[]): Generator<number[][]> {
  const byLength = new Map<number, number[][]>();
  for (const sequence of sequences) {
    const group = byLength.get(sequence.length);
    if (group === undefined) byLength.set(sequence.length, [Array.from(sequence)]);
    else group.push(Array.from(sequence));
  }
  for (const group of byLength.values()) {
    for (let start = 0; start < group.length; start += batchSize) yield group.slice(start, start + batchSize);
  }
}
