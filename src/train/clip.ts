/**
 * Gradient clipping.
 *
 * @module
 */
import { backendOfAll, checkNumber } from "../check.ts";
import { run } from "../compute.ts";
import { engineOf } from "../engine.ts";
import { clipToNormOp, normOp, squaredNormOp } from "../ops/clip/mod.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf, mapTensors, tensorsOf } from "../tree.ts";

/**
 * The squared norm of a tree as one vector: `Σ x²` over all elements of all its tensors. A tensor in several places
 * counts once. The result is on the tree's backend, so nothing waits for the device; {@linkcode read} it and take its
 * square root. Its gradient is 2x, so that it serves as a penalty in a loss too.
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
  const action = "take norm";
  backendOf(action, "tree", tree);
  const tensors = tensorsOf(tree);
  const backend = backendOfAll(action, tensors.map((_, i) => `tensor ${i}`), tensors);
  return engineOf(backend).run(squaredNormOp, tensors, [])[0];
}

/** A norm times this cannot overflow if the gradients are finite. */
const scale = 2 ** -40;

/**
 * Scales gradients down if their norm, taken over all of them as one vector, exceeds a bound (Pascanu, Mikolov,
 * Bengio: "On the difficulty of training recurrent neural networks", 2013; PyTorch's `clip_grad_norm_`):
 *
 *     g' = g·min(1, maxNorm / (‖g‖ + 1e-6))
 *
 * A NaN in one gradient makes all of them NaN. An infinite element becomes NaN and finite elements 0, as the equation
 * says. The norm may exceed the range of floats if the gradients do not. A tensor in several places counts once, and
 * stays one tensor.
 *
 * @param grads nested plain objects and arrays of tensors
 * @param maxNorm the bound, above 0
 * @returns gradients of the same form; the arguments are not changed
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
