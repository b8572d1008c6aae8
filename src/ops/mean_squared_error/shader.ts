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

/** Differences in units of this have squares that are in range. */
const unit = 2 ** 64;

const sum = reduction("sum", "vec2f", threads, (a, b) => `${a} + ${b}`);

/** For each part the sum of the squares, and that in another unit, which can't overflow. */
function partsShader(weighted: boolean): string {
  return bindings({
    sizes: ["size", "channels", "parts"],
    // As a constant, a compiler might square this factor first.
    constants: ["down"],
    outputs: ["sums: vec2f"],
    inputs: ["prediction", "target_", ...weighted ? ["weights"] : []],
  }) + nan + sum + main(
    threads,
    `if (group >= params.parts) { return; }
  var part = vec2f();
  let end = min(params.size, (group + 1u) * ${threads * perThread}u);
  for (var i = group * ${threads * perThread}u + lane; i < end; i += ${threads}u) {
    let weight = ${weighted ? "weights[i / params.channels]" : "1.0"};
    // Masked rows may hold any values, including NaN.
    if (weight == 0.0 && !isNan(weight)) { continue; }
    let difference = prediction[i] - target_[i];
    let small = difference * params.down;
    part += weight * vec2f(difference * difference, small * small);
  }
  let all = sum(lane, part);
  if (lane == 0u) { sums[group] = all; }`,
  );
}

/** The mean, from the parts. */
function meanShader(weighted: boolean): string {
  return bindings({
    sizes: ["parts", "rows", "channels"],
    constants: ["up"],
    outputs: ["loss"],
    inputs: ["sums: vec2f", ...weighted ? ["weightSum"] : []],
  }) + nan + sum + main(
    threads,
    `var part = vec2f();
  for (var i = lane; i < params.parts; i += ${threads}u) { part += sums[i]; }
  let all = sum(lane, part);
  if (lane == 0u) {
    let count = f32(params.channels) * ${weighted ? "weightSum[0]" : "f32(params.rows)"};
    if (count == 0.0 && !isNan(count)) {
      loss[0] = nanOf(params.parts);
    } else if (isFinite(all.x)) {
      loss[0] = all.x / count;
    } else {
      loss[0] = all.y / count * params.up * params.up;
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
    `let weight = ${weighted ? "weights[i / params.channels]" : "1.0"};
  let total = ${weighted ? "weightSum[0]" : "f32(params.rows)"};
  let isMasked = weight == 0.0 && !isNan(weight);
  let nothing = total == 0.0 && !isNan(total);
  var g = gLoss[0] * (2.0 * weight / (f32(params.channels) * total)) * (prediction[i] - target_[i]);
  if (isMasked) { g = 0.0; }
  if (nothing) { g = nanOf(i); }
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
  const size = rows * channels, parts = Math.max(1, Math.ceil(size / (threads * perThread)));
  gpu.withScratch(2 * parts, (sums) => {
    gpu.dispatch({
      code: weights === null ? partsCode : weightedPartsCode,
      outputs: [sums],
      inputs: weights === null ? [prediction, target] : [prediction, target, weights],
      sizes: [size, channels, parts],
      constants: [1 / unit],
      workgroups: inRows(parts, gpu.limits),
    });
    const mean = (code: string, inputs: readonly GpuBlock[]) =>
      gpu.dispatch({
        code,
        outputs: [loss],
        inputs,
        sizes: [parts, rows, channels],
        constants: [unit],
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
