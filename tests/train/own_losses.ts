/** User-written losses, which workers find by the URL of this module. */
import {
  linear,
  type LossContext,
  mean,
  multiply,
  sample,
  subtract,
  type Tensor,
  zeros,
} from "@seqmix/seqmix";

/** A batch of points as tensors. */
interface Points {
  /** [B, I] */
  readonly x: Tensor;
  /** [B] */
  readonly y: Tensor;
}

/** The squared errors of a linear function. */
function squaredErrors({ line }: { readonly line: Tensor }, { x, y }: Points): Tensor {
  const error = subtract(linear(line, x), y);
  return multiply(error, error);
}

/** Their mean. */
export function squaredError(params: { readonly line: Tensor }, points: Points): Tensor {
  return mean(squaredErrors(params, points));
}

/** The same with a random factor of each error's weight, in training. */
export default function noisyError(
  params: { readonly line: Tensor },
  points: Points,
  { seed, step, training }: LossContext,
): Tensor {
  if (!training) return squaredError(params, points);
  const flat = zeros([points.y.shape[0], 5], points.y.backend);
  return mean(multiply(sample(flat, { seed }, step), squaredErrors(params, points)));
}
