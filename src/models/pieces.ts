/**
 * The length of the pieces in which a long sequence goes through a model: short enough for the event loop to turn in
 * between and for memory not to grow with the sequence, and long enough for the kernels to be efficient. It depends on
 * sizes, never on a clock, so that the same tokens give the same results, bit for bit.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import type { Backend } from "../tensor.ts";
import { parameterCount } from "../tree.ts";

/** The maximum number of tokens in a piece, if the computation is on the caller's thread and if it is not. */
const maxOnThread = 512, maxOnDevice = 2048;
/**
 * The minimum numbers of tokens, by the size of the parameters and by that of the state. Weights are read once for each
 * piece, so short pieces of large models waste time; a cache is read for every token.
 */
const minByParams = 32, minByState = 4;

/**
 * The number of steps in a piece of `batch` sequences.
 *
 * @param params the model's parameters: each number is multiplied by every token
 * @param state the state before the piece: each number of a Transformer's cache is multiplied by every token of its
 *   sequence
 */
export function pieceLength(params: unknown, state: unknown, batch: number, backend: Backend): number {
  const { workAtOnce = Infinity } = engineOf(backend);
  const tokens = Math.min(
    workAtOnce === Infinity ? maxOnDevice : maxOnThread,
    Math.max(minByParams, workAtOnce / parameterCount(params)),
    Math.max(minByState, powerOfTwo(workAtOnce * batch / parameterCount(state))),
  );
  return Math.max(1, Math.floor(tokens / batch));
}

/** The largest power of 2 that is no larger, so that few lengths occur while a cache grows: each is compiled anew. */
function powerOfTwo(x: number): number {
  return 2 ** Math.floor(Math.log2(x));
}

/**
 * Whether even one piece of a sequence keeps the caller's thread busy for longer than the event loop may wait, so that
 * it must turn within the piece: of a large model, or on a slow device.
 */
export function needsTurns(params: unknown, length: number, backend: Backend): boolean {
  const { workAtOnce = Infinity } = engineOf(backend);
  return length * parameterCount(params) > workAtOnce;
}
