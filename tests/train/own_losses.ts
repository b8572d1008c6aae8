/** User-written losses, which workers find by the URL of this module. */
import { add, linear, type LossContext, multiply, sample, type Tensor, tensor } from "@seqmix/seqmix";

/** A batch of points as tensors. */
interface Points {
  /** [B, I] */
  readonly x: Tensor;
  /** [B], the negative targets. */
  readonly minusY: Tensor;
}

/** The mean squared error of a linear function. */
export function squaredError({ line }: { readonly line: Tensor }, { x, minusY }: Points): Tensor {
  const error = add(linear(line, x), minusY);
  return meanOf(multiply(error, error));
}

/** The mean of [n] as [1], since a sum is a product with ones. */
export function meanOf(x: Tensor): Tensor {
  const [n] = x.shape;
  return linear(x, tensor(Array(n).fill(1 / n), [1, n], x.backend));
}

/** The same with a random factor of each error's weight, in training. */
export default function noisyError(
  params: { readonly line: Tensor },
  { x, minusY }: Points,
  { seed, step, training }: LossContext,
): Tensor {
  const error = add(linear(params.line, x), minusY);
  if (!training) return meanOf(multiply(error, error));
  const [n] = minusY.shape, flat = tensor(new Float32Array(n * 5), [n, 5], minusY.backend);
  return meanOf(multiply(sample(flat, { seed }, step), multiply(error, error)));
}
