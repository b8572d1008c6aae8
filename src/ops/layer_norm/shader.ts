/**
 * Layer normalization and its gradient on a GPU, a workgroup a row.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows, sumsOf } from "../../backends/webgpu/sums.ts";
import { bindings, inRows, main, reduction, units } from "../../backends/webgpu/wgsl.ts";

const sums = reduction("sums", "vec2f", 64, (a, b) => `${a} + ${b}`);

/**
 * The `rough` mean of a row, the mean and mean square `moments` of the distances from there, and the `scale`, all in units: of
 * most rows 1, so that nothing changes, but of rows whose squares would be infinite or 0 about one over their numbers.
 */
const moments = `if (group >= params.rows) { return; }
  let start = group * params.channels;
  let count = f32(params.channels);
  var part = vec2f();
  // 2^-64 times the numbers, whose sum is finite.
  for (var c = lane; c < params.channels; c += 64u) {
    let small = x[start + c] * 0x1p-64f;
    part += vec2f(small, abs(small));
  }
  let means = sums(lane, part) / count;
  var unit = 1.0;
  if (means.y > 0x1p-24f) { unit = max(0x1p-64f * oneOver(unitOf(means.y)), 0x1p-120f); }
  if (means.y == 0.0 && params.epsilon < 0x1p-100f) { unit = 0x1p100f; }
  let rough = means.x * unit * 0x1p64f;
  // The sum of large numbers is rounded coarsely; of their small distances to about their mean it is not.
  part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let distance = x[start + c] * unit - rough;
    part += vec2f(distance, distance * distance);
  }
  let moments = sums(lane, part) / count;
  // In units of large numbers ε would be 0, and that of equal ones 0 times infinity.
  let least = select(0.0, 0x1p-100f, unit < 1.0 && params.epsilon > 0.0);
  let scale = 1.0 / sqrt(moments.y - moments.x * moments.x + max(params.epsilon * unit * unit, least));`;

/** See `layerNorm` in `mod.ts`. */
export function layerNormShader(): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["y"],
    inputs: ["x", "weight", "bias"],
  }) + units + sums +
    main(
      64,
      `${moments}
  for (var c = lane; c < params.channels; c += 64u) {
    y[start + c] = (x[start + c] * unit - rough - moments.x) * scale * weight[c] + bias[c];
  }`,
    );
}

/** x's gradient, and what normalizes each row: see {@linkcode moments}. See `layerNormBackward` below. */
export function layerNormBackwardShader(): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["gx", "statistics: vec4f"],
    inputs: ["gy", "x", "weight"],
  }) + units + sums +
    main(
      64,
      `${moments}
  part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let g = inUnits(gy[start + c], weight[c], unit);
    part += vec2f(g, g * (x[start + c] * unit - rough - moments.x) * scale);
  }
  let slopes = sums(lane, part) / count;
  for (var c = lane; c < params.channels; c += 64u) {
    let normalized = (x[start + c] * unit - rough - moments.x) * scale;
    let g = inUnits(gy[start + c], weight[c], unit);
    gx[start + c] = (g - slopes.x - normalized * slopes.y) * scale;
  }
  if (lane == 0u) {
    statistics[group] = vec4f(unit, rough, moments.x, scale);
  }`,
    );
}

const code = layerNormShader();
const backwardCode = layerNormBackwardShader();
const weightSums = sumsOf(
  ["gy", "x", "statistics: vec4f"],
  "gy[at] * (x[at] * statistics[row].x - statistics[row].y - statistics[row].z) * statistics[row].w",
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
  gpu.withScratch(4 * rows, (statistics) => {
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
