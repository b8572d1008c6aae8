/**
 * How much of a long sequence goes through a model at once: little enough for the event loop to turn in between and for
 * memory not to grow with the sequence, enough for the kernels to be at their best. By counts, never by a clock, so that the
 * same tokens give the same bits.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import type { Backend } from "../tensor.ts";
import { parameterCount } from "../tree.ts";

/** Tokens in a piece at most, on the caller's thread and beside it. */
const most = 512, mostBeside = 2048;
/** Weights are read once a piece, so short ones of large models waste time; a cache is read for every token. */
const least = 32, leastOverCache = 4;

/**
 * The steps of a piece of `batch` sequences.
 *
 * @param params of the model: each number is multiplied with every token
 * @param state before the piece: of a Transformer its cache, each number of which is multiplied with every token of its
 *   sequence
 */
export function pieceLength(params: unknown, state: unknown, batch: number, backend: Backend): number {
  const { workAtOnce = Infinity } = engineOf(backend);
  const tokens = Math.min(
    workAtOnce === Infinity ? mostBeside : most,
    Math.max(least, workAtOnce / parameterCount(params)),
    Math.max(leastOverCache, workAtOnce * batch / parameterCount(state)),
  );
  return Math.max(1, Math.floor(tokens / batch));
}
