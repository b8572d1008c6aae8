/**
 * A step of AdamW on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  exponential,
  largestFinite,
  nan,
  runEach,
  smallestNormal,
} from "../../backends/webgpu/wgsl.ts";

/** See `reference.ts`. 1 - β₁ and 1 - β₂ are separate constants: in single precision 1 - 0.999 is off by 5e-5. */
function adamWShader(): string {
  return bindings({
    sizes: ["size", "leaf"],
    constants: [
      "rateFactor",
      "beta1",
      "rest1",
      "logOfBeta1",
      "beta2",
      "rest2",
      "logOfBeta2",
      "rootOfBeta2",
      "rootOfRest2",
      "epsilon",
      "weightDecay",
    ],
    outputs: ["nextParam", "nextMean", "nextVariance", "overflows"],
    inputs: ["param", "grad", "mean", "variance"],
    // All eight storage buffers that every device supports are in use.
    scalars: ["rate", "step"],
  }) + nan + exponential + `
// 1 - βᵗ = 1 - e^x with x = t·ln β, accurate also near 0.
fn correction(logOfBeta: f32) -> f32 {
  let x = step * logOfBeta;
  if (x < -0.5) { return 1.0 - exponential(x); }
  var p = 1.0 / 40320.0;
  p = p * x + 1.0 / 5040.0;
  p = p * x + 1.0 / 720.0;
  p = p * x + 1.0 / 120.0;
  p = p * x + 1.0 / 24.0;
  p = p * x + 1.0 / 6.0;
  p = p * x + 0.5;
  p = p * x + 1.0;
  return -p * x;
}
` + each(`let g = grad[i];
  let m = params.beta1 * mean[i] + params.rest1 * g;
  let v = params.beta2 * variance[i] + params.rest2 * g * g;
  nextMean[i] = m;
  nextVariance[i] = v;
  if (!isFinite(v) && !isNan(v)) { overflows[params.leaf] = 1.0; }
  var deviation = sqrt(v);
  if (v < ${2 ** -100} && g != 0.0) {
    // The square of g underflows, but still contributes.
    let a = params.rootOfBeta2 * sqrt(variance[i]);
    let b = params.rootOfRest2 * abs(g);
    let most = max(max(a, b), ${smallestNormal});
    let ratio = min(a, b) / most;
    deviation = most * sqrt(1.0 + ratio * ratio);
  }
  let learningRate = params.rateFactor * rate;
  let direction = m / (deviation / sqrt(correction(params.logOfBeta2)) + params.epsilon);
  let rateOfMean = learningRate / correction(params.logOfBeta1);
  nextParam[i] = param[i] - (learningRate * params.weightDecay * param[i] + rateOfMean * direction);`);
}

const code = adamWShader();

/**
 * m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε) with η = rateFactor·rate and
 * c = 1 - βᵗ in step t, from 1
 */
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
  rate: GpuBlock,
  step: GpuBlock,
  size: number,
  leaf: number,
  rateFactor: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
): void {
  const roots = [Math.sqrt(beta2), Math.sqrt(1 - beta2)];
  // Not 0, to avoid 0/0.
  const floor = Math.min(Math.max(epsilon, smallestNormal), largestFinite);
  const ofMean = [beta1, 1 - beta1, finiteLog(beta1)], ofVariance = [beta2, 1 - beta2, finiteLog(beta2)];
  runEach(
    gpu,
    code,
    [nextParam, nextMean, nextVariance, overflows],
    [param, grad, mean, variance],
    [size, leaf],
    [rateFactor, ...ofMean, ...ofVariance, ...roots, floor, weightDecay],
    [rate, step],
  );
}

/** ln β; for β = 0 a finite number whose exponential underflows too. */
function finiteLog(beta: number): number {
  return Math.max(Math.log(beta), -1000);
}
