/**
 * Layer normalization and its gradient on a GPU, a workgroup a row.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows, sumsOf } from "../../backends/webgpu/sums.ts";
import { bindings, inRows, main, reduction } from "../../backends/webgpu/wgsl.ts";

const sums = reduction("sums", "vec2f", 64, (a, b) => `${a} + ${b}`);

/** The `rough` mean of a row, the mean and mean square `moments` of the distances from there, and the `scale`. */
const moments = `if (group >= params.rows) { return; }
  let start = group * params.channels;
  let count = f32(params.channels);
  var part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) { part.x += x[start + c]; }
  let rough = sums(lane, part).x / count;
  // The sum of large numbers is rounded coarsely; of their small distances to about their mean it is not.
  part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let distance = x[start + c] - rough;
    part += vec2f(distance, distance * distance);
  }
  let moments = sums(lane, part) / count;
  let scale = 1.0 / sqrt(moments.y - moments.x * moments.x + params.epsilon);`;

/** See `layerNorm` in `mod.ts`. */
export function layerNormShader(): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["y"],
    inputs: ["x", "weight", "bias"],
  }) + sums +
    main(
      64,
      `${moments}
  for (var c = lane; c < params.channels; c += 64u) {
    y[start + c] = (x[start + c] - rough - moments.x) * scale * weight[c] + bias[c];
  }`,
    );
}

/** x's gradient, and what normalizes each row: see {@linkcode moments}. See `layerNormBackward` below. */
export function layerNormBackwardShader(): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["gx", "statistics"],
    inputs: ["gy", "x", "weight"],
  }) + sums +
    main(
      64,
      `${moments}
  part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let g = gy[start + c] * weight[c];
    part += vec2f(g, g * (x[start + c] - rough - moments.x) * scale);
  }
  let means = sums(lane, part) / count;
  for (var c = lane; c < params.channels; c += 64u) {
    let normalized = (x[start + c] - rough - moments.x) * scale;
    gx[start + c] = (gy[start + c] * weight[c] - means.x - normalized * means.y) * scale;
  }
  if (lane == 0u) {
    statistics[3u * group] = rough;
    statistics[3u * group + 1u] = moments.x;
    statistics[3u * group + 2u] = scale;
  }`,
    );
}

const code = layerNormShader();
const backwardCode = layerNormBackwardShader();
const weightSums = sumsOf(
  ["gy", "x", "statistics"],
  "gy[at] * (x[at] - statistics[3u * row] - statistics[3u * row + 1u]) * statistics[3u * row + 2u]",
);

/** y = (x - mean) / √(variance + ε) · weight + bias, row by row */
export function layerNorm(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  weight: GpuBlock,
  bias: GpuBlock,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  gpu.dispatch({
    code,
    outputs: [y],
    inputs: [x, weight, bias],
    sizes: [rows, channels],
    constants: [epsilon],
    workgroups: inRows(rows, gpu.limits),
  });
}

/** With x̂ the normalized row and g = gy·weight: gx = (g - mean g - x̂ mean(g·x̂)) / √(variance + ε) */
export function layerNormBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gWeight: GpuBlock,
  gBias: GpuBlock,
  gy: GpuBlock,
  x: GpuBlock,
  weight: GpuBlock,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  gpu.withScratch(3 * rows, (statistics) => {
    gpu.dispatch({
      code: backwardCode,
      outputs: [gx, statistics],
      inputs: [gy, x, weight],
      sizes: [rows, channels],
      constants: [epsilon],
      workgroups: inRows(rows, gpu.limits),
    });
    weightSums(gpu, gWeight, [gy, x, statistics], rows, channels);
  });
  sumRows(gpu, gBias, [gy], rows, channels);
}
