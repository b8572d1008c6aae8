/**
 * The loss of a language model.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import { checkShape, isTensor, show } from "../../check.ts";
import { compute } from "../../compute.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import { checkLists, listsOf, tensorOfLists } from "../../number_lists.ts";
import type { Backend, Tensor } from "../../tensor.ts";
import { sizeOf } from "../../tree.ts";
import { type Tokens, tokenTensor } from "../embedding/tokens.ts";

/**
 * The mean negative log-likelihood of the targets, in nats: `Σ w·(log Σ_i e^logits_i - logits_target) / Σ w`.
 *
 * @param logits `[B, T, V]`
 * @param targets ids from 0 to V - 1, or any id if its weight is 0: one list for each sequence, or a tensor `[B, T]`
 * @param weights the weight w of each step, at least 0: one list for each sequence, or a tensor `[B, T]`. A weight of 0
 *   masks padding: the target and the logits there do not matter. Default: all weights are 1
 * @returns a single number, shape `[]`; NaN if all weights are 0, or, if targets or weights are a tensor, if an id
 *   whose weight is not 0 is out of range
 * @throws {TypeError} on other shapes, or tensors of several backends
 * @throws {RangeError} if a list of targets holds an id out of range, unless its weight is 0 or the weights are a
 *   tensor; or if a list of weights holds one that is negative or not finite
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
  // In a scope, to free the tensors made of lists.
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

/** The weights of a loss as a tensor; lists are checked, and uploaded. */
export function weightsOf(
  action: string,
  weights: readonly ArrayLike<number>[] | Tensor | undefined,
  backend: Backend,
): Tensor | undefined {
  const w = weights === undefined || isTensor(weights)
    ? weights
    : tensorOfLists(weights) ?? weightTensor(action, weights, backend);
  if (w !== undefined) checkLists(w, (lists) => checkWeights(action, lists));
  return w;
}

function weightTensor(action: string, weights: readonly ArrayLike<number>[], backend: Backend): Tensor {
  if (!Array.isArray(weights)) {
    throw new TypeError(
      `Cannot ${action}: weights must be a tensor [B, T] or a list of B lists of T numbers, current value is ${
        show(weights)
      }`,
    );
  }
  const time = weights[0]?.length ?? 0, shape = [weights.length, time];
  const numbers = hostArray(action, Float64Array, sizeOf(shape), backend.memory().bytes);
  for (let b = 0; b < weights.length; b++) {
    const row = weights[b];
    if (row?.length !== time) {
      throw new TypeError(
        `Cannot ${action}: weights must have one length, current lengths are ${time} and ${row?.length}`,
      );
    }
  }
  checkWeights(action, weights);
  weights.forEach((row, b) => numbers.set(row, b * time));
  return engineOf(backend).upload(numbers, shape);
}

function checkWeights(action: string, weights: readonly ArrayLike<number>[]): void {
  for (const row of weights) {
    for (let t = 0; t < row.length; t++) {
      if (row[t] >= 0 && row[t] < Infinity) continue;
      throw new RangeError(
        `Cannot ${action}: weights must be finite and at least 0, current weight is ${show(row[t])}`,
      );
    }
  }
}

/** gLogits = gLoss·weight·(softmax(logits) - [i = target]) / Σ weight; targets and weights have no gradient. */
export const crossEntropyOp = defineOperation({
  name: "crossEntropy",
  action: "compute cross-entropy",
  inputs: ["logits: ... V", "targets: ...", "weights?: ..."],
  outputs: ["loss:"],
  sizes: ["...", "V"],
  gradient: { needs: ["logits", "targets", "weights"], of: ["logits"] },
  example: { V: 5, targets: (x) => Math.floor(Math.abs(9 * x)) % 5, weights: Math.abs },
});
