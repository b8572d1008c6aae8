/**
 * Dropping elements at random.
 *
 * @module
 */
import { checkInteger, checkNumber, isTensor, show } from "../../check.ts";
import { compute } from "../../compute.ts";
import { checkNames, type Names } from "../../names.ts";
import { defineOperation } from "../../operation.ts";
import { seedOf32Bits } from "../../random.ts";
import type { Tensor } from "../../tensor.ts";

/** Which elements {@linkcode dropout} drops. */
export interface DropoutOptions {
  /** The probability that an element is dropped, from 0 to below 1, rounded to a multiple of 2⁻²⁴. */
  readonly rate: number;
  /**
   * An integer from 0 to 2⁵³ - 1, hashed to 32 bits where it has more. Each place in a model needs its own: with the same, the
   * same elements are dropped.
   */
  readonly seed: number;
  /**
   * The number of the draw, so that one seed serves a whole training: a number, or a tensor `[]` on x's backend with a whole
   * number from 0 to 2³² - 1, which is not checked (single precision holds all below 2²⁴). Both drop the same elements. Default 0.
   */
  readonly step?: number | Tensor | undefined;
}

const action = "drop out";
const optionNames: Names<DropoutOptions> = { rate: 0, seed: 0, step: 0 };

/**
 * Drops elements at random and scales up the others, so that the mean stays: `y = x·m / (1 - rate)`, where m is 0 with the
 * probability `rate` and otherwise 1 (Srivastava et al.: "Dropout", 2014; PyTorch's `dropout`). The gradient is multiplied by the
 * same. Which elements are dropped depends on seed, step and the element's index alone (the hash pcg4d, as in `sample`), so
 * they are the same on every backend.
 *
 * It drops in every call: leave it out, or set the rate to 0, where a model is not trained.
 *
 * @param x any shape
 * @param options rate, seed and step
 * @returns y, of x's shape; x itself if the rate is 0
 * @throws {TypeError} if x is not a tensor, an option is not a number or not known, or step is neither a number nor a tensor `[]`
 *   on x's backend
 * @throws {RangeError} if the rate is not from 0 to below 1, the seed is not an integer from 0 to 2⁵³ - 1, or step not one from 0
 *   to 2³² - 1
 *
 * @example
 * ```ts
 * import { dropout, ones, read } from "@seqmix/seqmix";
 *
 * const y = dropout(ones([8]), { rate: 0.5, seed: 1, step: 3 });
 * console.log(await read(y)); // twos and zeros
 * ```
 */
export function dropout(x: Tensor, options: DropoutOptions): Tensor {
  checkNames(action, options, optionNames);
  const { rate, seed: given, step = 0 } = options;
  checkNumber(action, "rate", rate);
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`Cannot ${action}: rate must be from 0 to below 1, current rate is ${rate}`);
  }
  checkInteger(action, "seed", given, 0);
  if (!isTensor(x)) {
    throw new TypeError(`Cannot ${action}: x must be a tensor [...], current value is ${show(x)}`);
  }
  const isTold = isTensor(step);
  if (!isTold) checkInteger(action, "step", step, 0, 2 ** 32 - 1);
  if (rate === 0) return x;
  const dropped = Math.min(Math.round(rate * 2 ** 24), 2 ** 24 - 1);
  const constants = [dropped, 1 / (1 - rate), seedOf32Bits(given), isTold ? 0 : step];
  return compute(dropoutOp, [x, isTold ? step : undefined], constants)[0];
}

/**
 * An element is dropped if the first 24 bits of its hash are below `dropped`. The number of the draw is `base`, and `step`
 * more where there is one.
 */
export const dropoutOp = defineOperation({
  name: "dropout",
  action,
  inputs: ["x: ...", "step?:"],
  outputs: ["y: ..."],
  sizes: ["..."],
  constants: ["dropped", "scale", "seed", "base"],
  gradient: { needs: ["step"], of: ["x"] },
  example: { dropped: 2 ** 23, scale: 2, seed: 7, step: (x) => Math.floor(Math.abs(9 * x)) },
});
