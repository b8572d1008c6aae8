import type { Floats } from "../../tensor.ts";

/** m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε) */
export function adamW(
  nextParam: Floats,
  nextMean: Floats,
  nextVariance: Floats,
  param: Floats,
  grad: Floats,
  mean: Floats,
  variance: Floats,
  size: number,
  learningRate: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
  correction1: number,
  correction2: number,
): void {
  for (let i = 0; i < size; i++) {
    const m = beta1 * mean[i] + (1 - beta1) * grad[i];
    const v = beta2 * variance[i] + (1 - beta2) * grad[i] ** 2;
    nextMean[i] = m;
    nextVariance[i] = v;
    const direction = m / correction1 / (Math.sqrt(v / correction2) + epsilon);
    nextParam[i] = param[i] - learningRate * (weightDecay * param[i] + direction);
  }
}
