/**
 * Random dropout of elements.
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
  /** An integer from 0 to 2⁵³ - 1. Each place in a model needs its own, or the same elements are dropped. */
  readonly seed: number;
  /** The number of the draw, as in `sample`: an integer from 0 to 2³² - 1, or a tensor `[]` of one; default 0. */
  readonly step?: number | Tensor | undefined;
}

const action = "drop out";
const optionNames: Names<DropoutOptions> = { rate: 0, seed: 0, step: 0 };

/**
 * Drops elements at random and scales up the others, so that the expected value stays the same: `y = x·m / (1 -
 * rate)`, where m is 0 with the probability `rate` and otherwise 1 (Srivastava et al.: "Dropout", 2014; PyTorch's
 * `dropout`). Which elements are dropped depends on seed, step and their index alone (the hash of `sample`), so they
 * are the same on every backend, and in the gradient. Set the rate to 0 where a model is not trained.
 *
 * @param x any shape
 * @param options rate, seed and step
 * @returns y, of x's shape; x itself if the rate is 0
 * @throws {TypeError} if x is not a tensor, an option has another type or is not known, or step lives on another
 *   backend
 * @throws {RangeError} if an option is out of range
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
 * An element is dropped if the first 24 bits of its hash are below `dropped`. The number of the draw is `base`, and
 * `step` more where there is one.
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
