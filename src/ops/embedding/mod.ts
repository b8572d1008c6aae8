/**
 * Lookup of a table's rows by token id.
 *
 * @module
 */
import { checkShape, isTensor, sharedBackend, wrongOrder } from "../../check.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { type Tokens, tokenTensor } from "./tokens.ts";

export type { Tokens };

/**
 * Looks up a row for each token: `y[b, t] = weight[tokens[b, t]]`.
 *
 * @param tokens ids from 0 to V - 1: one list for each sequence, all of one length, or a tensor `[B, T]`
 * @param weight `[V, C]`, one row for each token
 * @returns y `[B, T, C]`; a row of NaN for an id in a tensor that is out of range
 * @throws {TypeError} on other shapes, lists of several lengths, or tensors of two backends
 * @throws {RangeError} on a list with an id out of range
 *
 * @example
 * ```ts
 * import { embedding, read, tensor } from "@seqmix/seqmix";
 *
 * const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
 * console.log(await read(embedding([[2, 0]], weight))); // Float32Array(4) [ 5, 6, 1, 2 ]
 * ```
 */
export function embedding(tokens: Tokens, weight: Tensor): Tensor {
  const action = "look up embedding";
  if (isTensor(tokens) && Array.isArray(weight)) throw wrongOrder(action, "tokens, weight");
  checkShape(action, "weight", weight, "V", "C");
  // In a scope, to free the tensor made of lists of ids.
  return weight.backend.scope(() => {
    const ids = tokenTensor(action, "tokens", tokens, weight.shape[0], weight.backend);
    return engineOf(sharedBackend(action, "weight, tokens", weight, ids)).run(
      embeddingOp,
      [ids, weight],
      [],
    )[0];
  });
}

/** The gradient of each row of the table is the sum over the occurrences of its id. */
export const embeddingOp = defineOperation({
  name: "embedding",
  action: "look up embedding",
  inputs: ["ids: ...", "weight: V C"],
  outputs: ["y: ... C"],
  sizes: ["...", "V", "C"],
  gradient: { needs: ["ids"], of: ["weight"] },
  example: { V: 5, ids: (x) => Math.floor(Math.abs(9 * x)) % 5 },
});
