/**
 * How much each step counts in a loss.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import { isTensor, show } from "../../check.ts";
import { engineOf } from "../../engine.ts";
import { checkLists, tensorOfLists } from "../../number_lists.ts";
import type { Backend, Tensor } from "../../tensor.ts";
import { sizeOf } from "../../tree.ts";

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
