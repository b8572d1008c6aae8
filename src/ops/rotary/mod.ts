/**
 * Rotary position embedding.
 *
 * @module
 */
import { checkInteger, checkShape, isTensor } from "../../check.ts";
import { compute } from "../../compute.ts";
import { checkNames, type Names } from "../../names.ts";
import { defineOperation } from "../../operation.ts";
import { shapeOf } from "../../tracked_shape.ts";
import type { Tensor } from "../../tensor.ts";
import { checkHeads } from "../attention/mod.ts";

/** Options of {@linkcode rotary}. */
export interface RotaryOptions {
  /** H, which divides C so that the head size N = C/H is even. */
  readonly heads: number;
  /**
   * The position of the first step, from 0 to 2³¹ - 1; default 0. A key-value cache `[B, T, C]` stands for T, the
   * position after its steps, so that a compiled function need not read its length. A tensor `[B, T]` of integers
   * gives the position of every step; the result is NaN for positions that are not integers or are out of range.
   */
  readonly position?: number | Tensor | undefined;
  /** The base of the angles; default 10,000. */
  readonly base?: number | undefined;
}

const action = "turn rotary";
const optionNames: Names<RotaryOptions> = { heads: 0, position: 0, base: 0 };

/**
 * Rotates queries or keys by their position, so that their product depends only on their distance (Su et al.:
 * "RoFormer", 2021, in the half-split form of GPT-NeoX and Llama). At position p, the pair (i, i + N/2) of each head of
 * size N is rotated by the angle θ = p·base^(-2i/N):
 *
 *     y_i = x_i cos θ - x_{i+N/2} sin θ
 *     y_{i+N/2} = x_{i+N/2} cos θ + x_i sin θ
 *
 * @param x `[B, T, C]`
 * @param options the number of heads, the position of the first step, and the base
 * @returns y `[B, T, C]`
 * @throws {TypeError} on another shape or an unknown option
 * @throws {RangeError} if the heads don't divide C into even sizes, or position or base are out of range
 *
 * @example
 * ```ts
 * import { read, rotary, tensor } from "@seqmix/seqmix";
 *
 * const y = rotary(tensor([1, 0], [1, 1, 2]), { heads: 1, position: 2 });
 * console.log(await read(y)); // cos 2 and sin 2
 * ```
 */
export function rotary(x: Tensor, options: RotaryOptions): Tensor {
  checkNames(action, options, optionNames);
  return rotate(x, options);
}

/** The same without a check for unknown options. */
export function rotate(x: Tensor, options: RotaryOptions): Tensor {
  const { heads, position = 0, base = 10_000 } = options;
  checkShape(action, "x", x, "B", "T", "C");
  checkHeads(action, heads, x.shape[2]);
  if (x.shape[2] / heads % 2 !== 0) {
    throw new RangeError(
      `Cannot ${action}: head size must be even, current C/heads is ${x.shape[2] / heads}`,
    );
  }
  const isOfSteps = isTensor(position) && position.shape.length === 2;
  const first = isOfSteps ? 0 : firstOf(position);
  checkInteger(action, "position", first, 0, 2 ** 31 - 1);
  if (!(base > 0 && base < Infinity)) {
    throw new RangeError(`Cannot ${action}: base must be finite and above 0, current base is ${base}`);
  }
  if (isOfSteps) return compute(rotaryAtOp, [x, position], [heads, base])[0];
  return compute(rotaryOp, [x], [heads, first, base])[0];
}

function firstOf(position: number | Tensor): number {
  if (!isTensor(position)) return position;
  checkShape(action, "position", position, "B", "T", "C");
  return shapeOf(position)[1];
}

/** The gradient is rotated by the opposite angle. */
export const rotaryOp = defineOperation({
  name: "rotary",
  action,
  inputs: ["x: B T C"],
  outputs: ["y: B T C"],
  sizes: ["B", "T", "C"],
  constants: ["heads", "position", "base"],
  gradient: { needs: [], of: ["x"] },
  example: { C: 28, heads: 2, position: 3, base: 10_000 },
});

/** The same with a position for each step. */
export const rotaryAtOp = defineOperation({
  name: "rotaryAt",
  action,
  inputs: ["x: B T C", "position: B T"],
  outputs: ["y: B T C"],
  sizes: ["B", "T", "C"],
  constants: ["heads", "base"],
  gradient: { needs: ["position"], of: ["x"] },
  example: { C: 28, heads: 2, base: 10_000, position: (x) => Math.floor(Math.abs(99 * x)) },
});
