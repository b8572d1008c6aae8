/**
 * A step of AdamW on one parameter: what `adamW` of `src/train/` does to each.
 *
 * @module
 */
import { defineOperation } from "../../operation.ts";

/**
 * The new parameter and its new moments, see the equations at `adamW`. Where a new variance is infinite, the element `leaf` of
 * `overflows` becomes 1: the only input that a kernel writes to. η is `rateFactor·rate`, and t is `step`, from 1.
 */
export const adamWOp = defineOperation({
  name: "adamW",
  action: "update parameters",
  inputs: ["overflows: N", "param: ...", "grad: ...", "mean: ...", "variance: ...", "rate:", "step:"],
  outputs: ["nextParam: ...", "nextMean: ...", "nextVariance: ..."],
  sizes: ["..."],
  constants: ["leaf", "rateFactor", "beta1", "beta2", "epsilon", "weightDecay"],
  gradient: "none",
});
