/**
 * Layer normalization and its gradient on a GPU, with a workgroup for each row, or for each group of a row's channels.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows, sumsOf } from "../../backends/webgpu/sums.ts";
import { bindings, inRows, main, nan, reduction, units } from "../../backends/webgpu/wgsl.ts";
import { wideNumbers } from "../../backends/webgpu/wide.ts";

const sums = reduction("sums", "vec2f", 64, (a, b) => `${a} + ${b}`);

/**
 * The `rough` mean of a row, the mean and mean square `moments` of the differences from it, and the `scale`, all
 * multiplied by a `unit`. It is 1 for most rows, which changes nothing; for rows whose squares would overflow or
 * underflow it is about the reciprocal of their numbers.
 */
const moments = `if (group >= params.rows) { return; }
  let start = group * params.channels;
  let count = f32(params.channels);
  // Numbers scaled by 2^-64, so that their sum is finite, relative to the first, so that the mean of equal numbers
  // is exact.
  let first = x[start] * 0x1p-64f;
  var part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let small = x[start + c] * 0x1p-64f - first;
    part += vec2f(small, abs(small));
  }
  let means = sums(lane, part) / count;
  let size = abs(first) + means.y;
  var unit = 1.0;
  // Equal numbers have no squares that could overflow.
  if (size > 0x1p-24f && means.y > 0.0) { unit = max(0x1p-64f * oneOver(unitOf(size)), 0x1p-120f); }
  if (size == 0.0 && params.epsilon < 0x1p-100f) { unit = 0x1p100f; }
  let rough = (first + means.x) * unit * 0x1p64f;
  // The sum of large numbers is rounded coarsely, that of their differences from the rough mean is not.
  part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let distance = x[start + c] * unit - rough;
    part += vec2f(distance, distance * distance);
  }
  let moments = sums(lane, part) / count;
  // In units of large numbers ε would be 0, and equal ones would give 0 times infinity.
  let least = select(0.0, 0x1p-100f, unit < 1.0 && params.epsilon > 0.0);
  let scale = 1.0 / sqrt(moments.y - moments.x * moments.x + max(params.epsilon * unit * unit, least));
  // Kept separate from the difference: a compiler might add it to the rough mean, which is rounded coarsely.
  let shift = moments.x * scale;`;
/** A normalized element of a row. */
const normal = "((x[start + c] * unit - rough) * scale - shift)";

/** Where a row's weights are behind the first. */
const offsetOf = (grouped: boolean) => grouped ? "group % params.groups * params.channels" : "0u";

/** See `mod.ts`; groups are rows of their own. */
function layerNormShader(grouped: boolean): string {
  return bindings({
    sizes: ["rows", "channels", ...grouped ? ["groups"] : []],
    constants: ["epsilon"],
    outputs: ["y"],
    inputs: ["x", "weight", "bias"],
  }) + units + sums +
    main(
      64,
      `${moments}
  let offset = ${offsetOf(grouped)};
  for (var c = lane; c < params.channels; c += 64u) {
    y[start + c] = ${normal} * weight[offset + c] + bias[offset + c];
  }`,
    );
}

/**
 * The gradient of x, and the statistics that normalize each row: see {@linkcode moments} and `layerNormBackward`
 * below. Of groups, in place of the statistics, the terms of the sums that are the weight's gradient.
 */
function layerNormBackwardShader(grouped: boolean): string {
  return bindings({
    sizes: ["rows", "channels", ...grouped ? ["groups"] : []],
    constants: ["epsilon"],
    outputs: ["gx", grouped ? "terms" : "statistics: vec4f"],
    inputs: ["gy", "x", "weight"],
  }) + nan + units + wideNumbers + sums +
    main(
      64,
      `${moments}
  let offset = ${offsetOf(grouped)};
  part = vec2f();
  for (var c = lane; c < params.channels; c += 64u) {
    let g = inUnits(gy[start + c], weight[offset + c], unit);
    part += vec2f(g, g * ${normal});
  }
  let slopes = sums(lane, part) / count;
  var spoiled = false;
  for (var c = lane; c < params.channels; c += 64u) {
    let normalized = ${normal};
    let g = inUnits(gy[start + c], weight[offset + c], unit);
    let slope = (g - slopes.x - normalized * slopes.y) * scale;
    gx[start + c] = slope;
    if (!isFinite(slope)) { spoiled = true; }
  }
  // Only an intermediate value may have overflowed.
  if (spoiled) {
    var sum = wide(0.0);
    var sumOfProducts = wide(0.0);
    for (var c = 0u; c < params.channels; c++) {
      let g = wideProduct(wide(gy[start + c]), wide(weight[offset + c]));
      sum = wideSum(sum, g);
      sumOfProducts = wideSum(sumOfProducts, wideProduct(g, wide${normal}));
    }
    let share = wide(-1.0 / count);
    for (var c = lane; c < params.channels; c += 64u) {
      if (isFinite(gx[start + c])) { continue; }
      let normalized = wide${normal};
      let less = wideProduct(share, wideSum(sum, wideProduct(normalized, sumOfProducts)));
      let g = wideSum(wideProduct(wide(gy[start + c]), wide(weight[offset + c])), less);
      gx[start + c] = narrow(wideProduct(wideProduct(g, wide(scale)), wide(unit)));
    }
  }
  ${
        grouped
          ? `for (var c = lane; c < params.channels; c += 64u) { terms[start + c] = gy[start + c] * ${normal}; }`
          : "if (lane == 0u) { statistics[group] = vec4f(unit, rough, scale, shift); }"
      }`,
    );
}

const code = layerNormShader(false), groupedCode = layerNormShader(true);
const backwardCode = layerNormBackwardShader(false), groupedBackwardCode = layerNormBackwardShader(true);
const weightSums = sumsOf(
  ["gy", "x", "statistics: vec4f"],
  "gy[at] * ((x[at] * statistics[row].x - statistics[row].y) * statistics[row].z - statistics[row].w)",
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

/** The same for each of several groups of a row's channels */
export function groupNorm(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  weight: GpuBlock,
  bias: GpuBlock,
  rows: number,
  channels: number,
  groups: number,
  epsilon: number,
): void {
  gpu.dispatch({
    code: groupedCode,
    outputs: [y],
    inputs: [x, weight, bias],
    sizes: [rows * groups, channels / groups, groups],
    constants: [epsilon],
    workgroups: inRows(rows * groups, gpu.limits),
  });
}

/** The same for each of several groups of a row's channels */
export function groupNormBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gWeight: GpuBlock,
  gBias: GpuBlock,
  gy: GpuBlock,
  x: GpuBlock,
  weight: GpuBlock,
  rows: number,
  channels: number,
  groups: number,
  epsilon: number,
): void {
  gpu.withScratch(rows * channels, (terms) => {
    gpu.dispatch({
      code: groupedBackwardCode,
      outputs: [gx, terms],
      inputs: [gy, x, weight],
      sizes: [rows * groups, channels / groups, groups],
      constants: [epsilon],
      workgroups: inRows(rows * groups, gpu.limits),
    });
    sumRows(gpu, gWeight, [terms], rows, channels);
  });
  sumRows(gpu, gBias, [gy], rows, channels);
}
