/**
 * Measures how well a model predicts.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import { type AbortSignalLike, checkSignal, unlessAborted } from "../abort.ts";
import { checkSequences } from "../check.ts";
import { eventLoop } from "../event_loop.ts";
import { checkNames, type Names } from "../names.ts";
import { type Batch, batchesOf, batchOf, tokensOf } from "./batches.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { sample } from "../ops/sample/mod.ts";
import { compile } from "../runtime/compile.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf } from "../tree.ts";
import { checkModel, type LanguageModel } from "./language_model.ts";
import { pieceLength } from "./pieces.ts";

/** How well a model predicts: means over all tokens except the first of each sequence. */
export interface Evaluation {
  /** The mean negative log-likelihood of a token, in nats. */
  readonly loss: number;
  /** The fraction of tokens that the model considered most probable, from 0 to 1. */
  readonly accuracy: number;
  /** e^loss */
  readonly perplexity: number;
  /** loss / ln 2, in bits: where a token is a byte (`byteTokenizer`), bits a byte. */
  readonly bitsPerToken: number;
}

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions {
  /** Aborts the evaluation, with the signal's reason as the error. */
  readonly signal?: AbortSignalLike | undefined;
}

const optionNames: Names<EvaluateOptions> = { signal: 0 };

/** The maximum number of sequences in a batch. */
const batchSize = 32;

/**
 * Predicts every token of the sequences from the tokens before it. Sequences of similar length are batched and padded
 * at the end, which does not affect earlier steps. Batches are processed in pieces, so memory grows with the length of
 * the sequences only if the model's state does. The event loop turns at least every 20 ms plus the time of one piece.
 *
 * @param model the model
 * @param params its parameters; the evaluation runs on their backend
 * @param sequences lists of token ids, each of at least two tokens
 * @param options an abort signal
 * @returns loss, accuracy, perplexity and bits per token, with equal weight for every predicted token
 * @throws {TypeError} if there is no sequence, if a sequence has fewer than two tokens, if params are not the model's,
 *   or on an unknown option
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
  checkSignal(action, signal);
  checkSequences(action, "sequences", sequences);
  const backend = backendOf(action, "params", params);
  const scores: Promise<Score>[] = [];
  const sum: Score = { loss: 0, correct: 0, count: 0 };
  const add = ({ loss, correct, count }: Score) => {
    sum.loss += loss * count;
    sum.correct += correct;
    sum.count += count;
  };
  using scorePiece = compile((
    params: Params,
    inputs: Batch["inputs"],
    targets: Batch["targets"],
    weights: Batch["weights"],
    before: State,
  ) => {
    const { logits, state } = model.forward(params, inputs, before);
    return {
      loss: crossEntropy(logits, targets, weights),
      predicted: sample(logits, { temperature: 0 }),
      state,
    };
  });
  let state: State | undefined;
  try {
    for (const rows of batchesOf(sequences.map(({ length }) => length), batchSize)) {
      // After the end of the longest sequence there is only padding.
      const time = Math.max(...rows.indices.map((i) => sequences[i].length)) - 1;
      const count = rows.indices.length;
      state = model.initialState(params, count);
      for (let start = 0; start < time;) {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        const end = Math.min(rows.length - 1, start + pieceLength(params, state, count, backend));
        const piece = batchOf(sequences, rows, start, end);
        const before: State = state;
        const { loss, predicted, ...next } = await scorePiece.withTurns(
          [params, piece.inputs, piece.targets, piece.weights, before],
          signal,
        );
        backend.free(before);
        state = next.state;
        start = end;
        scores.push(scoreOf(loss, predicted, piece));
        backend.free([loss, predicted]);
        // The device computes the next piece while the results of this one are downloaded.
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
  const loss = sum.loss / sum.count;
  return {
    loss,
    accuracy: sum.correct / sum.count,
    perplexity: Math.exp(loss),
    bitsPerToken: loss / Math.LN2,
  };
}

/** The result of a piece: the mean loss of its tokens, the number predicted correctly, and the number of tokens. */
interface Score {
  loss: number;
  correct: number;
  count: number;
}

async function scoreOf(loss: Tensor, predicted: Tensor, piece: Batch): Promise<Score> {
  const backend = engineOf(loss.backend);
  const [losses, ids] = await Promise.all([backend.download(loss), backend.download(predicted)]);
  const { targets, weights } = piece, time = targets[0].length;
  let correct = 0;
  targets.forEach((row, b) => {
    for (let t = 0; t < time; t++) {
      if (weights?.[b][t] !== 0 && ids[b * time + t] === row[t]) correct++;
    }
  });
  return { loss: losses[0], correct, count: tokensOf(piece) };
}
