/**
 * Gradients kept from growing without bound.
 *
 * @module
 */
import { checkNumber } from "../check.ts";
import { run } from "../compute.ts";
import { clipToNormOp, normOp } from "../ops/clip/mod.ts";
import { multiply } from "../ops/elementwise/mod.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf, mapTensors, tensorsOf } from "../tree.ts";

/**
 * The norm of a tree as one vector, squared: `Σ x²` over all elements of all its tensors; a tensor in several places counts
 * once. On the tree's backend, so that nothing has to be waited for; {@linkcode read} it and take the root to see it.
 *
 * @param tree nested plain objects and arrays of tensors
 * @returns a single number, shape `[]`
 * @throws {TypeError} if the tree holds no tensor
 *
 * @example
 * ```ts
 * import { read, squaredNorm, tensor } from "@seqmix/seqmix";
 *
 * const [square] = await read(squaredNorm([tensor([3], [1]), tensor([4], [1])]));
 * console.log(Math.sqrt(square)); // 5
 * ```
 */
export function squaredNorm(tree: unknown): Tensor {
  const backend = backendOf("take norm", "tree", tree);
  return backend.scope(() => {
    const norm = run(normOp, tensorsOf(tree), [1])[0];
    return multiply(norm, norm);
  });
}

/** A norm times this is in the range of floats, if what it is of is. */
const scale = 2 ** -40;

/**
 * Scales gradients down where their norm, of all of them as one vector, is above a bound (Pascanu, Mikolov, Bengio: "On the
 * difficulty of training recurrent neural networks", 2013; PyTorch's `clip_grad_norm_`):
 *
 *     g' = g·min(1, maxNorm / (‖g‖ + 1e-6))
 *
 * A NaN in one gradient makes all of them NaN. Where one is infinite it becomes NaN and what is finite 0, as the equation has
 * it. Norms may be beyond the range of numbers, as long as gradients are not. A tensor in several places counts once, and
 * stays one tensor.
 *
 * @param grads nested plain objects and arrays of tensors
 * @param maxNorm the bound, above 0
 * @returns gradients of the same form; what was given stays as it is
 * @throws {TypeError} if grads hold no tensor, or maxNorm is not a number
 * @throws {RangeError} if maxNorm is not above 0
 *
 * @example
 * ```ts
 * import { clipByGlobalNorm, read, tensor } from "@seqmix/seqmix";
 *
 * const { a, b } = clipByGlobalNorm({ a: tensor([3], [1]), b: tensor([4], [1]) }, 1);
 * console.log(await read(a), await read(b)); // about 0.6 and 0.8
 * ```
 */
export function clipByGlobalNorm<P>(grads: P, maxNorm: number): P {
  const action = "clip gradients";
  checkNumber(action, "maxNorm", maxNorm);
  if (!(maxNorm > 0)) {
    throw new RangeError(`Cannot ${action}: maxNorm must be a number above 0, current maxNorm is ${maxNorm}`);
  }
  const backend = backendOf(action, "grads", grads);
  return backend.scope(() => {
    const norm = run(normOp, tensorsOf(grads), [scale])[0];
    return mapTensors(grads, (t) => run(clipToNormOp, [t, norm], [maxNorm, scale])[0]);
  });
}
