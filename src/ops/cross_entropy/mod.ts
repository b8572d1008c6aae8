/**
 * The loss of a language model.
 *
 * @module
 */
import { checkShape } from "../../check.ts";
import { compute } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import { listsOf } from "../../number_lists.ts";
import type { Tensor } from "../../tensor.ts";
import { type Tokens, tokenTensor } from "../embedding/tokens.ts";
import { weightsOf } from "./weights.ts";

/**
 * The mean negative log-likelihood of the targets, in nats: `Σ w·(log Σ_i e^logits_i - logits_target) / Σ w`.
 *
 * @param logits `[B, T, V]`
 * @param targets ids from 0 to V - 1, and any where the weight is 0: one list a sequence, or a tensor `[B, T]`
 * @param weights how much each step counts, one list a sequence or a tensor `[B, T]`; 0 masks padding, whatever
 *   stands there. None: all count 1
 * @returns a single number, shape `[]`; NaN if an id is out of range where the weight is not 0 and either is a tensor, or if
 *   all weights are 0
 * @throws {TypeError} on other shapes, or tensors of two backends
 * @throws {RangeError} on a list with an id out of range that a list of weights, or none, does not mask; on a list with a
 *   weight that is negative or not finite
 *
 * @example
 * ```ts
 * import { crossEntropy, read, tensor } from "@seqmix/seqmix";
 *
 * const logits = tensor([0, 0, 5, 5], [1, 2, 2]);
 * console.log(await read(crossEntropy(logits, [[0, 1]]))); // ln 2
 * ```
 */
export function crossEntropy(
  logits: Tensor,
  targets: Tokens,
  weights?: readonly ArrayLike<number>[] | Tensor,
): Tensor {
  const action = "compute cross-entropy";
  checkShape(action, "logits", logits, "B", "T", "V");
  const [batch, time, vocabulary] = logits.shape;
  // In a scope, so that what came as lists leaves no tensor behind.
  return logits.backend.scope(() => {
    const masked = (b: number, t: number) => {
      if (weights === undefined) return false;
      const lists = listsOf(weights);
      return lists === undefined || lists[b]?.[t] === 0;
    };
    const ids = tokenTensor(action, "targets", targets, vocabulary, logits.backend, masked);
    checkShape(action, "targets", ids, batch, time);
    const w = weightsOf(action, weights, logits.backend);
    if (w !== undefined) checkShape(action, "weights", w, batch, time);
    return compute(crossEntropyOp, [logits, ids, w])[0];
  });
}

/** gLogits = gLoss·weight·(softmax(logits) - the target's one) / Σ weight; targets and weights get none. */
export const crossEntropyOp = defineOperation({
  name: "crossEntropy",
  action: "compute cross-entropy",
  inputs: ["logits: ... V", "targets: ...", "weights?: ..."],
  outputs: ["loss:"],
  sizes: ["...", "V"],
  gradient: { needs: ["logits", "targets", "weights"], of: ["logits"] },
  example: { V: 5, targets: (x) => Math.floor(Math.abs(9 * x)) % 5, weights: Math.abs },
});
