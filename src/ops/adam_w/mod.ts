/**
 * A step of AdamW on one parameter; see `adamW` in `src/train/`.
 *
 * @module
 */
import { defineOperation } from "../../operation.ts";

/**
 * The new parameter and its new moments, by the equations of `adamW`. If a new variance is infinite, the element `leaf`
 * of `overflows` becomes 1: the only input that a kernel writes to. η is `rateFactor·rate`, and t is `step`, from 1.
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
