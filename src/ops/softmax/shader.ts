/**
 * Softmax and its gradient on a GPU, with a workgroup for each row.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  exponential,
  forRows,
  inRows,
  main,
  nan,
  rank,
  reduction,
} from "../../backends/webgpu/wgsl.ts";

/** See `softmax` in `mod.ts`. */
function softmaxShader(threads: number): string {
  return bindings({ sizes: ["rows", "channels"], outputs: ["y"], inputs: ["x"] }) + nan + rank + exponential +
    reduction("largest", "u32", threads, (a, b) => `max(${a}, ${b})`) +
    reduction("sum", "f32", threads, (a, b) => `${a} + ${b}`) +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.channels + lane;
  let end = (group + 1u) * params.channels;
  var place = 0u;
  for (var i = start; i < end; i += ${threads}u) { place = max(place, rank(x[i])); }
  place = largest(lane, place);
  let top = unrank(place);
  var part = 0.0;
  for (var i = start; i < end; i += ${threads}u) { part += exponential(x[i] - top); }
  let total = sum(lane, part);
  // The softmax of a row with NaN or infinity, or of -infinity alone, is NaN.
  let exists = place > rankOfMinusInfinity && place < rankOfInfinity;
  for (var i = start; i < end; i += ${threads}u) {
    if (exists) {
      y[i] = exponential(x[i] - top) / total;
    } else {
      y[i] = nanOf(i);
    }
  }`,
    );
}

/** See `softmaxBackward` below. */
function softmaxBackwardShader(threads: number): string {
  return bindings({ sizes: ["rows", "channels"], outputs: ["gx"], inputs: ["gy", "y"] }) +
    reduction("sum", "f32", threads, (a, b) => `${a} + ${b}`) +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.channels + lane;
  let end = (group + 1u) * params.channels;
  var part = 0.0;
  for (var i = start; i < end; i += ${threads}u) { part += gy[i] * y[i]; }
  let mean = sum(lane, part);
  for (var i = start; i < end; i += ${threads}u) { gx[i] = y[i] * (gy[i] - mean); }`,
    );
}

const codeFor = forRows(softmaxShader);
const backwardCodeFor = forRows(softmaxBackwardShader);

/** y = e^(x - max x) / Σ e^(x - max x), row by row */
export function softmax(gpu: Gpu, y: GpuBlock, x: GpuBlock, rows: number, channels: number): void {
  gpu.dispatch({
    code: codeFor(channels),
    outputs: [y],
    inputs: [x],
    sizes: [rows, channels],
    workgroups: inRows(rows, gpu.limits),
  });
}

/** gx = y · (gy - Σ gy · y), row by row */
export function softmaxBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gy: GpuBlock,
  y: GpuBlock,
  rows: number,
  channels: number,
): void {
  gpu.dispatch({
    code: backwardCodeFor(channels),
    outputs: [gx],
    inputs: [gy, y],
    sizes: [rows, channels],
    workgroups: inRows(rows, gpu.limits),
  });
}
