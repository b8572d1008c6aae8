/**
 * A step of AdamW on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, largestFinite, nan, runEach, smallestNormal } from "../../backends/webgpu/wgsl.ts";

/** See `reference.ts`. What is left of β₁ and β₂ to 1 comes in by itself: in single precision 1 - 0.999 is off by 5e-5. */
export function adamWShader(): string {
  return bindings({
    sizes: ["size", "leaf"],
    constants: [
      "rate",
      "beta1",
      "rest1",
      "beta2",
      "rest2",
      "rootOfBeta2",
      "rootOfRest2",
      "epsilon",
      "decay",
      "unbias",
    ],
    outputs: ["nextParam", "nextMean", "nextVariance", "overflows"],
    inputs: ["param", "grad", "mean", "variance"],
  }) + nan + each(`let g = grad[i];
  let m = params.beta1 * mean[i] + params.rest1 * g;
  let v = params.beta2 * variance[i] + params.rest2 * g * g;
  nextMean[i] = m;
  nextVariance[i] = v;
  if (!isFinite(v) && !isNan(v)) { overflows[params.leaf] = 1.0; }
  var deviation = sqrt(v);
  if (v < ${2 ** -100} && g != 0.0) {
    // The square of g vanishes, and is still a deviation.
    let a = params.rootOfBeta2 * sqrt(variance[i]);
    let b = params.rootOfRest2 * abs(g);
    let most = max(max(a, b), ${smallestNormal});
    let ratio = min(a, b) / most;
    deviation = most * sqrt(1.0 + ratio * ratio);
  }
  let direction = m / (deviation * params.unbias + params.epsilon);
  nextParam[i] = param[i] - (params.decay * param[i] + params.rate * direction);`);
}

const code = adamWShader();

/** m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε) */
export function adamW(
  gpu: Gpu,
  nextParam: GpuBlock,
  nextMean: GpuBlock,
  nextVariance: GpuBlock,
  overflows: GpuBlock,
  param: GpuBlock,
  grad: GpuBlock,
  mean: GpuBlock,
  variance: GpuBlock,
  size: number,
  leaf: number,
  learningRate: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
  correction1: number,
  correction2: number,
): void {
  const betas = [beta1, 1 - beta1, beta2, 1 - beta2, Math.sqrt(beta2), Math.sqrt(1 - beta2)];
  // Not 0, so that no direction is 0/0.
  const floor = Math.min(Math.max(epsilon, smallestNormal), largestFinite);
  const factors = [floor, learningRate * weightDecay, 1 / Math.sqrt(correction2)];
  runEach(
    gpu,
    code,
    [nextParam, nextMean, nextVariance, overflows],
    [param, grad, mean, variance],
    [size, leaf],
    [learningRate / correction1, ...betas, ...factors],
  );
}
