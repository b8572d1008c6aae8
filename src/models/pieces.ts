/**
 * How much of a long sequence goes through a model at once: little enough for the event loop to turn in between and for
 * memory not to grow with the sequence, enough for the kernels to be at their best. By counts, never by a clock, so that the
 * same tokens give the same bits.
 *
 * @module
 */
import { parameterCount } from "../tree.ts";
import type { Backend } from "../tensor.ts";

/** Multiplications in a piece: about ten ms of WebAssembly. */
const multiplications = 2 ** 28;
/** Tokens in a piece at most, and where the device computes beside the caller's thread, which a piece then hardly keeps busy. */
const most = 512, mostConcurrent = 2048;
/** Weights are read once a piece, so short ones of large models waste time; a cache is read for every token. */
const least = 32, leastOverCache = 4;

/**
 * The steps of a piece of `batch` sequences.
 *
 * @param params of the model: each is multiplied with every token
 * @param state before the piece: of a Transformer its cache, each number of which is multiplied with every token of its sequence
 */
export function pieceLength(params: unknown, state: unknown, batch: number, backend: Backend): number {
  const longest = backend.concurrent ? mostConcurrent : Math.min(
    most,
    Math.max(least, multiplications / parameterCount(params)),
    Math.max(leastOverCache, multiplications * batch / parameterCount(state)),
  );
  return Math.max(1, Math.floor(longest / batch));
}
