/**
 * Learning-rate schedules.
 *
 * @module
 */
import { checkInteger, checkNumber } from "../check.ts";
import { checkNames, type Names } from "../names.ts";

/** Options of {@linkcode cosineDecay}. */
export interface CosineDecayOptions {
  /** The number of warm-up steps, in which the rate rises linearly from peak / warmup; default 0. */
  readonly warmup?: number | undefined;
  /** The rate at the end; default 0. */
  readonly floor?: number | undefined;
}

const optionNames: Names<CosineDecayOptions> = { warmup: 0, floor: 0 };

/**
 * Cosine annealing (Loshchilov, Hutter: "SGDR", 2017; PyTorch's `CosineAnnealingLR`): in step s of n, counted from 0,
 * with a warm-up of w steps,
 *
 *     peak·(s + 1) / w                                                    for s < w
 *     floor + (peak - floor)·(1 + cos(π·(s - w) / (n - w))) / 2           otherwise
 *
 * @param step s, at least 0; from `total` on the rate stays at the floor
 * @param total n, at least 1
 * @param peak the highest rate, at least 0
 * @param options warm-up and floor
 * @returns the learning rate of that step
 * @throws {TypeError} if an argument is not a number, or on an unknown option
 * @throws {RangeError} if a number is out of range
 *
 * @example
 * ```ts
 * import { cosineDecay } from "@seqmix/seqmix";
 *
 * console.log([0, 50, 100].map((step) => cosineDecay(step, 100, 1e-3))); // 0.001, 0.0005, 0
 * ```
 */
export function cosineDecay(
  step: number,
  total: number,
  peak: number,
  options: CosineDecayOptions = {},
): number {
  const action = "decay learning rate";
  checkNames(action, options, optionNames);
  const { warmup = 0, floor = 0 } = options;
  checkInteger(action, "step", step, 0);
  checkInteger(action, "total", total, 1);
  checkInteger(action, "warmup", warmup, 0, total);
  for (const [name, rate] of [["peak", peak], ["floor", floor]] as const) {
    checkNumber(action, name, rate);
    if (!(rate >= 0 && rate < Infinity)) {
      throw new RangeError(
        `Cannot ${action}: ${name} must be finite and at least 0, current ${name} is ${rate}`,
      );
    }
  }
  if (step < warmup) return peak * (step + 1) / warmup;
  if (step >= total) return floor;
  return floor + (peak - floor) * (1 + Math.cos(Math.PI * (step - warmup) / (total - warmup))) / 2;
}
