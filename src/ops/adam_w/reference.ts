import type { Floats } from "../../tensor.ts";

/**
 * m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε) with η = rateFactor·rate and
 * c = 1 - βᵗ in step t, from 1. Where a v' is infinite, overflows[leaf] becomes 1.
 */
export function adamW(
  nextParam: Floats,
  nextMean: Floats,
  nextVariance: Floats,
  overflows: Floats,
  param: Floats,
  grad: Floats,
  mean: Floats,
  variance: Floats,
  rate: Floats,
  step: Floats,
  size: number,
  leaf: number,
  rateFactor: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
): void {
  const learningRate = rateFactor * rate[0];
  const rateOfMean = learningRate / correction(beta1, step[0]);
  const unbiased = Math.sqrt(correction(beta2, step[0]));
  for (let i = 0; i < size; i++) {
    const g = grad[i], kept = beta2 * variance[i];
    const m = beta1 * mean[i] + (1 - beta1) * g;
    const v = kept + (1 - beta2) * g * g;
    nextMean[i] = m;
    nextVariance[i] = v;
    if (nextVariance[i] === Infinity) overflows[leaf] = 1;
    // A gradient whose square underflows still has a deviation.
    const deviation = v < 1e-280 && g !== 0
      ? Math.hypot(Math.sqrt(kept), Math.sqrt(1 - beta2) * g)
      : Math.sqrt(v);
    const moved = rateOfMean * (m / (deviation / unbiased + epsilon));
    nextParam[i] = param[i] - (learningRate * weightDecay * param[i] + moved);
  }
}

/** 1 - βᵗ, accurate also where βᵗ is close to 1. */
function correction(beta: number, step: number): number {
  return -Math.expm1(step * Math.log(beta));
}
