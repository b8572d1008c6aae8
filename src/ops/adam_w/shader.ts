/**
 * A step of AdamW on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, runEach } from "../../backends/webgpu/wgsl.ts";

/** See `reference.ts`. What is left of β₁ and β₂ to 1 comes in by itself: in single precision 1 - 0.999 is off by 5e-5. */
export function adamWShader(): string {
  return bindings({
    sizes: ["size"],
    constants: [
      "learningRate",
      "beta1",
      "rest1",
      "beta2",
      "rest2",
      "epsilon",
      "weightDecay",
      "correction1",
      "correction2",
    ],
    outputs: ["nextParam", "nextMean", "nextVariance"],
    inputs: ["param", "grad", "mean", "variance"],
  }) + each(`let m = params.beta1 * mean[i] + params.rest1 * grad[i];
  let v = params.beta2 * variance[i] + params.rest2 * grad[i] * grad[i];
  nextMean[i] = m;
  nextVariance[i] = v;
  let direction = m / params.correction1 / (sqrt(v / params.correction2) + params.epsilon);
  nextParam[i] = param[i] - params.learningRate * (params.weightDecay * param[i] + direction);`);
}

const code = adamWShader();

/** m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε) */
export function adamW(
  gpu: Gpu,
  nextParam: GpuBlock,
  nextMean: GpuBlock,
  nextVariance: GpuBlock,
  param: GpuBlock,
  grad: GpuBlock,
  mean: GpuBlock,
  variance: GpuBlock,
  size: number,
  learningRate: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
  correction1: number,
  correction2: number,
): void {
  const betas = [beta1, 1 - beta1, beta2, 1 - beta2];
  const constants = [learningRate, ...betas, epsilon, weightDecay, correction1, correction2];
  runEach(gpu, code, [nextParam, nextMean, nextVariance], [param, grad, mean, variance], [size], constants);
}
