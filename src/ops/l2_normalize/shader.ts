/**
 * Vectors of length 1 and the gradient, on a GPU, with a workgroup for each vector.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, forRows, inRows, main, nan, reduction, units } from "../../backends/webgpu/wgsl.ts";

/**
 * The length of a row as `unit`·`root`, of which the first is about its largest element: squares of others neither
 * overflow nor vanish.
 */
function lengthCode(threads: number): string {
  return `if (group >= params.rows) { return; }
  let start = group * params.channels + lane;
  let end = (group + 1u) * params.channels;
  var bits = 0u;
  for (var i = start; i < end; i += ${threads}u) { bits = max(bits, bitcast<u32>(x[i]) & 0x7fffffffu); }
  let unit = unitOf(bitcast<f32>(largest(lane, bits)));
  var part = 0.0;
  for (var i = start; i < end; i += ${threads}u) {
    let scaled = x[i] * oneOver(unit);
    part += scaled * scaled;
  }
  let root = sqrt(sum(lane, part));
  let isShort = isFinite(root) && unit * root <= params.epsilon;`;
}

const functions = (threads: number) =>
  nan + units + reduction("largest", "u32", threads, (a, b) => `max(${a}, ${b})`) +
  reduction("sum", "f32", threads, (a, b) => `${a} + ${b}`);

function l2NormalizeShader(threads: number): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["y"],
    inputs: ["x"],
  }) + functions(threads) + main(
    threads,
    `${lengthCode(threads)}
  for (var i = start; i < end; i += ${threads}u) {
    if (isShort) {
      y[i] = x[i] / params.epsilon;
    } else {
      y[i] = x[i] * oneOver(unit) / root;
    }
  }`,
  );
}

function l2NormalizeBackwardShader(threads: number): string {
  return bindings({
    sizes: ["rows", "channels"],
    constants: ["epsilon"],
    outputs: ["gx"],
    inputs: ["gy", "x"],
  }) + functions(threads) + main(
    threads,
    `${lengthCode(threads)}
  part = 0.0;
  for (var i = start; i < end; i += ${threads}u) { part += gy[i] * (x[i] * oneOver(unit) / root); }
  let product = sum(lane, part);
  for (var i = start; i < end; i += ${threads}u) {
    if (isShort) {
      gx[i] = gy[i] / params.epsilon;
    } else {
      gx[i] = (gy[i] - x[i] * oneOver(unit) / root * product) / root * oneOver(unit);
    }
  }`,
  );
}

const codeFor = forRows(l2NormalizeShader), backwardCodeFor = forRows(l2NormalizeBackwardShader);

/** y = x / max(‖x‖, ε), row by row */
export function l2Normalize(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  gpu.dispatch({
    code: codeFor(channels),
    outputs: [y],
    inputs: [x],
    sizes: [rows, channels],
    constants: [epsilon],
    workgroups: inRows(rows, gpu.limits),
  });
}

/** gx = (gy - y Σ gy·y) / ‖x‖, or gy / ε where ‖x‖ is at most ε */
export function l2NormalizeBackward(
  gpu: Gpu,
  gx: GpuBlock,
  gy: GpuBlock,
  x: GpuBlock,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  gpu.dispatch({
    code: backwardCodeFor(channels),
    outputs: [gx],
    inputs: [gy, x],
    sizes: [rows, channels],
    constants: [epsilon],
    workgroups: inRows(rows, gpu.limits),
  });
}
