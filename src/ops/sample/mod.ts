/**
 * Draws the next token.
 *
 * @module
 */
import { checkInteger, checkLast, isTensor, show } from "../../check.ts";
import { compute } from "../../compute.ts";
import { checkNames, type Names } from "../../names.ts";
import { defineOperation } from "../../operation.ts";
import { seedOf32Bits } from "../../random.ts";
import type { Tensor } from "../../tensor.ts";

/** Options of {@linkcode sample}. */
export interface SampleOptions {
  /** The divisor of the logits: 1 (the default) leaves them as they are; 0 selects the most probable token. */
  readonly temperature?: number | undefined;
  /**
   * Keeps only the k most probable tokens, and those as probable as the last of them; 0 (the default) keeps all. 1
   * selects the most probable token, the one with the lowest id if several are equal.
   */
  readonly topK?: number | undefined;
  /**
   * Keeps the smallest set of most probable tokens whose probabilities sum to at least this; 1 (the default) keeps
   * all.
   */
  readonly topP?: number | undefined;
  /**
   * An integer from 0 to 2⁵³ - 1, hashed to 32 bits if it has more. The default, 0, is a fixed seed: pass a different
   * one in each call to draw different ids.
   */
  readonly seed?: number | undefined;
}

/** The names of {@linkcode SampleOptions}. */
export const sampleNames: Names<SampleOptions> = { temperature: 0, topK: 0, topP: 0, seed: 0 };

/**
 * Draws a token id from each row of logits: the id with the largest `logits / temperature + g` among those that top-k
 * and then top-p keep. The Gumbel noise `g = -ln(-ln u)` makes this a draw from their softmax; an infinite logit
 * always wins. The noise depends only on seed, step, row and id (the hash pcg4d), so the same logits give the same ids
 * on every backend.
 *
 * @param logits `[..., V]`
 * @param options temperature, top-k, top-p and seed
 * @param step the index of the draw, so that one seed suffices for a whole sequence: an integer from 0 to 2³² - 1, or a
 *   tensor `[]` on the logits' backend that holds one, which is not checked (single precision represents all integers
 *   below 2²⁴). Both give the same ids
 * @returns ids `[...]`; NaN for a row that contains NaN
 * @throws {TypeError} if logits is not a tensor with at least one axis, if an option is unknown or not a number, or if
 *   step is neither a number nor a tensor `[]` on the logits' backend
 * @throws {RangeError} if V is 0, if temperature is negative or not finite, topK not an integer of at least 0, topP not
 *   above 0 and at most 1, seed not an integer from 0 to 2⁵³ - 1, or step not an integer from 0 to 2³² - 1
 *
 * @example
 * ```ts
 * import { read, sample, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(sample(tensor([1, 3, 2], [1, 3]), { temperature: 0 }, 0))); // Float32Array(1) [ 1 ]
 * ```
 */
export function sample(logits: Tensor, options: SampleOptions = {}, step: number | Tensor = 0): Tensor {
  return compute(sampleOp, ...argumentsOf(logits, options, step))[0];
}

/** The same for logits `[B, V]`, with ids `[B, 1]`: sequences of one step. */
export function sampleAsSequence(logits: Tensor, options: SampleOptions, step: number | Tensor): Tensor {
  return compute(sampleAsSequenceOp, ...argumentsOf(logits, options, step))[0];
}

/** Checks the arguments; returns the operation's inputs and constants. */
function argumentsOf(
  logits: Tensor,
  options: SampleOptions,
  step: number | Tensor,
): [inputs: [Tensor, Tensor | undefined], constants: readonly number[]] {
  checkLast("sample", "logits", logits, "V");
  const vocabulary = logits.shape[logits.shape.length - 1];
  if (vocabulary === 0) {
    throw new RangeError("Cannot sample: V must be at least 1, current V is 0");
  }
  checkNames("sample", options, sampleNames);
  const { temperature, topK, topP, seed: given } = checkSampleOptions("sample", options);
  const seed = seedOf32Bits(given);
  // At most V, since a larger number might exceed 32 bits.
  const kept = Math.min(topK, vocabulary);
  if (isTensor(step)) return [[logits, step], [temperature, kept, topP, seed, 0]];
  checkInteger("sample", "step", step, 0, 2 ** 32 - 1);
  return [[logits, undefined], [temperature, kept, topP, seed, step]];
}

/** The index of the draw is `base + step`, or `base` without a step. */
export const sampleOp = defineOperation({
  name: "sample",
  inputs: ["logits: ... V", "step?:"],
  outputs: ["ids: ..."],
  sizes: ["...", "V"],
  constants: ["temperature", "topK", "topP", "seed", "base"],
  gradient: "constant",
  example: { temperature: 0.8, topK: 9, topP: 0.9, seed: 7, step: (x) => Math.floor(Math.abs(9 * x)) },
});

const sampleAsSequenceOp = defineOperation({ ...sampleOp.declaration, outputs: ["ids: ... 1"] });

/** Checks the options, and fills in defaults. */
export function checkSampleOptions(action: string, options: SampleOptions): Required<SampleOptions> {
  const { temperature = 1, topK = 0, topP = 1, seed = 0 } = options;
  if (typeof temperature !== "number" || typeof topP !== "number") {
    throw new TypeError(
      `Cannot ${action}: temperature and topP must be numbers, current values are ${show(temperature)} and ${
        show(topP)
      }`,
    );
  }
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new RangeError(
      `Cannot ${action}: temperature must be finite and at least 0, current temperature is ${temperature}`,
    );
  }
  checkInteger(action, "topK", topK, 0);
  if (!(topP > 0 && topP <= 1)) {
    throw new RangeError(`Cannot ${action}: topP must be above 0 and at most 1, current topP is ${topP}`);
  }
  checkInteger(action, "seed", seed, 0);
  return { temperature, topK, topP, seed };
}
