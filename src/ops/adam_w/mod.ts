/**
 * A step of AdamW on one parameter: what `adamW` of `src/train/` does to each.
 *
 * @module
 */
import { defineOperation } from "../../operation.ts";

/**
 * The new parameter and its new moments, see the equations at `adamW`. Where a new variance is infinite, the element `leaf` of
 * `overflows` becomes 1: the only input that a kernel writes to. `correction1` is 1 - β₁ᵗ, what the mean is divided by, and
 * `correction2` that of the variance.
 */
export const adamWOp = defineOperation({
  name: "adamW",
  action: "update parameters",
  inputs: ["overflows: N", "param: ...", "grad: ...", "mean: ...", "variance: ..."],
  outputs: ["nextParam: ...", "nextMean: ...", "nextVariance: ..."],
  sizes: ["..."],
  constants: [
    ...["leaf", "learningRate", "beta1", "beta2", "epsilon", "weightDecay"] as const,
    ...["correction1", "correction2"] as const,
  ],
  gradient: "none",
});
