/**
 * Layer normalization on a GPU, a workgroup a row.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, inRows, main, reduction } from "../../backends/webgpu/wgsl.ts";

/** See `layerNorm` in `mod.ts`. */
export function layerNormShader(): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["y"],
    inputs: ["x", "weight", "bias"],
  }) + reduction("sums", "vec2f", 64, (a, b) => `${a} + ${b}`) +
    main(
      64,
      `if (group >= params.rows) { return; }
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
  let scale = 1.0 / sqrt(moments.y - moments.x * moments.x + params.epsilon);
  for (var c = lane; c < params.channels; c += 64u) {
    y[start + c] = (x[start + c] - rough - moments.x) * scale * weight[c] + bias[c];
  }`,
    );
}

const code = layerNormShader();

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
