/**
 * How well a model predicts.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import { type AbortSignalLike, unlessAborted } from "../abort.ts";
import { show } from "../check.ts";
import { eventLoop } from "../event_loop.ts";
import { checkNames, type Names } from "../names.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { sample } from "../ops/sample/mod.ts";
import { compile } from "../runtime/compile.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf } from "../tree.ts";
import { checkModel, type LanguageModel } from "./language_model.ts";
import { pieceLength } from "./pieces.ts";

/** How well a model predicts, over all tokens but the first of each sequence. */
export interface Evaluation {
  /** The mean negative log-likelihood of a token, in nats. */
  readonly loss: number;
  /** The share of tokens that were the most probable, 0 to 1. */
  readonly accuracy: number;
  /** e^loss */
  readonly perplexity: number;
}

/** How {@linkcode evaluate} may be ended. */
export interface EvaluateOptions {
  /** Ends the evaluation with the signal's reason as an error. */
  readonly signal?: AbortSignalLike | undefined;
}

const optionNames: Names<EvaluateOptions> = { signal: 0 };

/** How many sequences are run as one batch. */
const batchSize = 32;

/**
 * Predicts every token of the sequences from those before it. Sequences of one length are run together, in pieces: memory does
 * not grow with their length for a model whose state does not, and the event loop turns every 20 ms and one piece later at
 * most.
 *
 * @param model which model
 * @param params its parameters; it runs on their backend
 * @param sequences lists of ids, of at least two tokens each
 * @param options a signal that ends it
 * @returns loss, accuracy and perplexity, every predicted token counting the same
 * @throws {TypeError} if there is no sequence, or one of fewer than two tokens, or params are not the model's, or on an
 *   unknown option
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
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const action = "evaluate";
  checkModel(action, model);
  checkNames(action, options, optionNames);
  const { signal } = options;
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
  const scores: Promise<Score>[] = [];
  let total = 0, correct = 0, count = 0;
  const add = (score: Score) => {
    total += score.loss * score.expected.length;
    count += score.expected.length;
    correct += score.expected.filter((id, i) => id === score.predicted[i]).length;
  };
  using scorePiece = compile((params: Params, inputs: number[][], targets: number[][], before: State) => {
    const { logits, state } = model.forward(params, inputs, before);
    return { loss: crossEntropy(logits, targets), predicted: sample(logits, { temperature: 0 }), state };
  });
  let state: State | undefined;
  try {
    for (const batch of batches(sequences)) {
      const time = batch[0].length - 1;
      state = model.initialState(params, batch.length);
      for (let start = 0; start < time;) {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        const end = Math.min(time, start + pieceLength(params, state, batch.length, backend));
        const inputs = batch.map((sequence) => sequence.slice(start, end));
        const targets = batch.map((sequence) => sequence.slice(start + 1, end + 1));
        const before: State = state;
        const { loss, predicted, ...next } = await scorePiece.withTurns(
          [params, inputs, targets, before],
          signal,
        );
        backend.free(before);
        state = next.state;
        start = end;
        scores.push(scoreOf(loss, predicted, targets.flat()));
        backend.free([loss, predicted]);
        // A device goes on with the next piece while the last one's numbers are on their way.
        if (scores.length === 2) add(await unlessAborted(scores.shift()!, signal));
      }
      backend.free(state);
      state = undefined;
    }
    for (const score of scores) add(await unlessAborted(score, signal));
  } finally {
    backend.free(state);
    for (const score of scores) score.catch(() => {});
  }
  const loss = total / count;
  return { loss, accuracy: correct / count, perplexity: Math.exp(loss) };
}

/** What became of a piece: its tokens' mean loss, what they were predicted to be and what they are. */
interface Score {
  readonly loss: number;
  readonly predicted: ArrayLike<number>;
  readonly expected: readonly number[];
}

async function scoreOf(loss: Tensor, predicted: Tensor, expected: readonly number[]): Promise<Score> {
  const backend = engineOf(loss.backend);
  const [losses, ids] = await Promise.all([backend.download(loss), backend.download(predicted)]);
  return { loss: losses[0], predicted: ids, expected };
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
