/**
 * The rows of a table, looked up by token id.
 *
 * @module
 */
import { checkShape, sharedBackend } from "../../check.ts";
import type { GradientRule, Tensor } from "../../tensor.ts";
import { type Tokens, tokenTensor } from "./tokens.ts";

export type { Tokens };

/**
 * Looks up a row for each token: `y[b, t] = weight[tokens[b, t]]`.
 *
 * @param weight `[V, C]`, a row a token
 * @param tokens ids from 0 to V - 1: one list a sequence, all of one length, or a tensor `[B, T]`
 * @returns y `[B, T, C]`; where a tensor of ids holds one that is out of range, a row of NaN
 * @throws {TypeError} on other shapes, lists of several lengths, or tensors of two backends
 * @throws {RangeError} on a list with an id out of range
 *
 * @example
 * ```ts
 * import { embedding, read, tensor } from "@seqmix/seqmix";
 *
 * const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
 * console.log(await read(embedding(weight, [[2, 0]]))); // Float32Array [ 5, 6, 1, 2 ]
 * ```
 */
export function embedding(weight: Tensor, tokens: Tokens): Tensor {
  const action = "look up embedding";
  checkShape(action, "weight", weight, "V", "C");
  // In a scope, so that ids that came as lists leave no tensor behind.
  return weight.backend.scope(() => {
    const ids = tokenTensor(action, "tokens", tokens, weight.shape[0], weight.backend);
    return sharedBackend(action, "weight, tokens", weight, ids).embedding(ids, weight);
  });
}

/** Each row of the table gets the gradients of all places where it stands. */
export const embeddingGradient: GradientRule<"embedding"> = ([ids, weight], _, [gy]) => [
  null,
  weight.backend.backward.embedding(gy, ids, weight.shape[0]),
];
