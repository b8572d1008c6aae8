/**
 * Drawing the next token.
 *
 * @module
 */
import { checkInteger, checkLast, isTensor, show } from "../../check.ts";
import { compute } from "../../compute.ts";
import { checkNames, type Names } from "../../names.ts";
import { defineOperation } from "../../operation.ts";
import { seedOf32Bits } from "../../random.ts";
import type { Tensor } from "../../tensor.ts";

/** How the next token is drawn. */
export interface SampleOptions {
  /** The logits are divided by it: 0 takes the most probable token, 1 (the default) draws from the model's own. */
  readonly temperature?: number | undefined;
  /**
   * Keeps the k most probable tokens and what ties with the last of them; 1 takes the most probable, of equal ones the lowest
   * id; 0 (the default) keeps all.
   */
  readonly topK?: number | undefined;
  /** Keeps the fewest most probable tokens that reach this share of the probability; 1 (the default) keeps all. */
  readonly topP?: number | undefined;
  /**
   * An integer from 0 to 2⁵³ - 1, hashed to 32 bits where it has more; default 0, a fixed seed: who wants other ids each time
   * passes another.
   */
  readonly seed?: number | undefined;
}

/** The names of {@linkcode SampleOptions}. */
export const sampleNames: Names<SampleOptions> = { temperature: 0, topK: 0, topP: 0, seed: 0 };

/**
 * Draws a token id from each row of logits: the largest of `logits / temperature + g` among the ids that top-k and
 * then top-p keep (infinite logits before all others), with Gumbel noise `g = -ln(-ln u)`, which makes it a draw from their softmax. The noise of an id
 * depends on seed, step, row and id alone (the hash pcg4d), so the same logits give the same ids on every backend.
 *
 * @param logits `[..., V]`
 * @param options temperature, topK, topP, seed
 * @param step the number of the draw, so that one seed serves a whole sequence: a number, or a tensor `[]` on the logits'
 *   backend with a whole number from 0 to 2³² - 1, which is not checked (single precision holds all below 2²⁴). Both give
 *   the same ids
 * @returns ids `[...]`; NaN for a row with a NaN in it
 * @throws {TypeError} if logits is not a tensor with at least one axis, an option is not a number or not known, or step is neither a
 *   number nor a tensor `[]` on the logits' backend
 * @throws {RangeError} if V is 0, on a temperature that is negative or not finite, a topK that is not an integer of at least
 *   0, a topP that is not above 0 and at most 1, a seed that is not an integer from 0 to 2⁵³ - 1, or a step not one from 0 to
 *   2³² - 1
 *
 * @example
 * ```ts
 * import { read, sample, tensor } from "@seqmix/seqmix";
 *
 * console.log(await read(sample(tensor([1, 3, 2], [1, 3]), { temperature: 0 }, 0))); // Float32Array [ 1 ]
 * ```
 */
export function sample(logits: Tensor, options: SampleOptions = {}, step: number | Tensor = 0): Tensor {
  return compute(sampleOp, ...argumentsOf(logits, options, step))[0];
}

/** The same ids of logits `[B, V]` as sequences of one step, `[B, 1]`. */
export function sampleAsSequence(logits: Tensor, options: SampleOptions, step: number | Tensor): Tensor {
  return compute(sampleAsSequenceOp, ...argumentsOf(logits, options, step))[0];
}

/** The operation's inputs and constants, checked. */
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
  // More than all is all; a count of 32 bits would wrap.
  const kept = Math.min(topK, vocabulary);
  if (isTensor(step)) return [[logits, step], [temperature, kept, topP, seed, 0]];
  checkInteger("sample", "step", step, 0, 2 ** 32 - 1);
  return [[logits, undefined], [temperature, kept, topP, seed, step]];
}

/** The number of the draw is `base`, and `step` more where there is one. */
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

/** The options with their defaults filled in, checked. */
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
