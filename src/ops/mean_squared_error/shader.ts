/**
 * The mean squared error and its gradient on a GPU: workgroups sum parts of the elements, one sums the parts.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows } from "../../backends/webgpu/sums.ts";
import { bindings, each, inRows, main, nan, reduction, runEach } from "../../backends/webgpu/wgsl.ts";

/** Invocations in a workgroup, and the elements that each of them squares. */
const threads = 256, perThread = 16;

const sum = reduction("sum", "f32", threads, (a, b) => `${a} + ${b}`);
const weightOf = (weighted: boolean) =>
  `let weight = ${weighted ? "weights[i / params.channels]" : "1.0"};
  // Masked rows may hold any values, including NaN.
  let isMasked = weight == 0.0 && !isNan(weight);`;
const countOf = (weighted: boolean) =>
  `let count = f32(params.channels) * ${weighted ? "weightSum[0]" : "f32(params.rows)"};
  let isEmpty = count == 0.0 && !isNan(count);`;

/** For each part the sum of the squares, in a unit in which the sum of all is no larger than their mean. */
function partsShader(weighted: boolean): string {
  return bindings({
    sizes: ["size", "channels", "parts"],
    constants: ["unit"],
    outputs: ["sums"],
    inputs: ["prediction", "target_", ...weighted ? ["weights"] : []],
  }) + nan + sum + main(
    threads,
    `if (group >= params.parts) { return; }
  var part = 0.0;
  let end = min(params.size, (group + 1u) * ${threads * perThread}u);
  for (var i = group * ${threads * perThread}u + lane; i < end; i += ${threads}u) {
    ${weightOf(weighted)}
    if (isMasked) { continue; }
    let difference = (prediction[i] - target_[i]) * params.unit;
    part += weight * difference * difference;
  }
  part = sum(lane, part);
  if (lane == 0u) { sums[group] = part; }`,
  );
}

/** The mean, from the parts. */
function meanShader(weighted: boolean): string {
  return bindings({
    sizes: ["parts", "rows", "channels"],
    constants: ["scale"],
    outputs: ["loss"],
    inputs: ["sums", ...weighted ? ["weightSum"] : []],
  }) + nan + sum + main(
    threads,
    `var part = 0.0;
  for (var i = lane; i < params.parts; i += ${threads}u) { part += sums[i]; }
  part = sum(lane, part);
  ${countOf(weighted)}
  if (lane == 0u) {
    if (isEmpty) {
      loss[0] = nanOf(lane);
    } else {
      loss[0] = part * (params.scale / count);
    }
  }`,
  );
}

/** See `meanSquaredErrorBackward` below. */
function backwardShader(weighted: boolean): string {
  return bindings({
    sizes: ["size", "rows", "channels"],
    outputs: ["gPrediction", "gTarget"],
    inputs: ["gLoss", "prediction", "target_", ...weighted ? ["weights", "weightSum"] : []],
  }) + nan + each(
    `${weightOf(weighted)}
  ${countOf(weighted)}
  var g = gLoss[0] * (2.0 * weight / count) * (prediction[i] - target_[i]);
  if (isMasked) { g = 0.0; }
  if (isEmpty) { g = nanOf(i); }
  gPrediction[i] = g;
  gTarget[i] = -g;`,
  );
}

const partsCode = partsShader(false), weightedPartsCode = partsShader(true);
const meanCode = meanShader(false), weightedMeanCode = meanShader(true);
const backwardCode = backwardShader(false), weightedBackwardCode = backwardShader(true);

/** loss = Σ weight·(prediction - target)² / (C Σ weight) */
export function meanSquaredError(
  gpu: Gpu,
  loss: GpuBlock,
  prediction: GpuBlock,
  target: GpuBlock,
  weights: GpuBlock | null,
  rows: number,
  channels: number,
): void {
  const size = rows * channels, parts = Math.ceil(size / (threads * perThread));
  const unit = 2 ** -Math.ceil(Math.log2(Math.max(1, size)) / 2);
  gpu.withScratch(Math.max(1, parts), (sums) => {
    gpu.dispatch({
      code: weights === null ? partsCode : weightedPartsCode,
      outputs: [sums],
      inputs: weights === null ? [prediction, target] : [prediction, target, weights],
      sizes: [size, channels, parts],
      constants: [unit],
      workgroups: inRows(parts, gpu.limits),
    });
    const mean = (code: string, inputs: readonly GpuBlock[]) =>
      gpu.dispatch({
        code,
        outputs: [loss],
        inputs,
        sizes: [parts, rows, channels],
        constants: [unit ** -2],
        workgroups: [1],
      });
    if (weights === null) return mean(meanCode, [sums]);
    gpu.withScratch(1, (weightSum) => {
      sumRows(gpu, weightSum, [weights], rows, 1);
      mean(weightedMeanCode, [sums, weightSum]);
    });
  });
}

/** gPrediction = gLoss · 2 · weight · (prediction - target) / (C Σ weight), gTarget = -gPrediction */
export function meanSquaredErrorBackward(
  gpu: Gpu,
  gPrediction: GpuBlock,
  gTarget: GpuBlock,
  gLoss: GpuBlock,
  prediction: GpuBlock,
  target: GpuBlock,
  weights: GpuBlock | null,
  rows: number,
  channels: number,
): void {
  const run = (code: string, inputs: readonly GpuBlock[]) =>
    runEach(gpu, code, [gPrediction, gTarget], [gLoss, prediction, target, ...inputs], [
      rows * channels,
      rows,
      channels,
    ]);
  if (weights === null) return run(backwardCode, []);
  gpu.withScratch(1, (weightSum) => {
    sumRows(gpu, weightSum, [weights], rows, 1);
    run(weightedBackwardCode, [weights, weightSum]);
  });
}
