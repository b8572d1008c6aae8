/**
 * The norm of a gradient, and clipping to a maximum norm, on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  inRows,
  largestFinite,
  main,
  nan,
  reduction,
  runEach,
  smallestNormal,
} from "../../backends/webgpu/wgsl.ts";

/** Invocations in a workgroup. */
const threads = 256;
/** The elements that an invocation squares if there are several workgroups, and the most if there is one. */
const few = 16, many = 128;
/** The scale for large and small numbers, whose squares would be out of range. */
const unit = 2 ** 72;

/**
 * y[at] = scale·‖x‖ for each workgroup's part of x, from the sums of the squares of x/2⁷², x and x·2⁷²: the one
 * that has neither overflowed nor underflowed is used.
 */
function normShader(): string {
  return bindings({
    sizes: ["size", "range", "parts", "at"],
    // As constants, a compiler might combine these factors and overflow.
    constants: ["scale", "down", "up"],
    outputs: ["y"],
    inputs: ["x"],
  }) + nan + reduction("total", "vec3f", threads, (a, b) => `${a} + ${b}`) + `
fn scaledRoot(squares: vec3f) -> f32 {
  if (!isFinite(squares.x)) { return squares.x; }
  if (!(squares.y < ${2 ** 100})) { return sqrt(squares.x) * (params.scale * params.up); }
  if (squares.y < ${2 ** -80}) { return sqrt(squares.z) * (params.scale * params.down); }
  return sqrt(squares.y) * params.scale;
}
` + main(
    threads,
    `var squares = vec3f();
  let end = min(params.size, (group + 1u) * params.range);
  for (var i = group * params.range + lane; i < end; i += ${threads}u) {
    let scaled = x[i] * vec3f(params.down, 1.0, params.up);
    squares += scaled * scaled;
  }
  squares = total(lane, squares);
  if (lane == 0u && group < params.parts) {
    y[params.at + group] = scaledRoot(squares);
  }`,
  );
}

/** y = x · min(1, maxNorm / (N + 1e-6)) where norm is scale·N, as are limit and epsilon; a NaN norm gives NaN. */
function clipShader(): string {
  return bindings({
    sizes: ["size"],
    constants: ["limit", "epsilon", "root"],
    outputs: ["y"],
    inputs: ["x", "norm"],
  }) + nan + `
fn clipped(x: f32, norm: f32) -> f32 {
  if (isNan(norm)) { return norm; }
  if (!isFinite(norm)) { return select(0.0, nanOf(bitcast<u32>(x)), !isFinite(x) || !isFinite(params.root)); }
  let bound = norm + params.epsilon;
  if (params.limit >= bound) { return x; }
  let factor = params.limit / bound;
  // A factor below the normal range is applied as its square root, twice.
  let root = params.root / sqrt(bound);
  return select(x * factor, x * root * root, factor < ${smallestNormal});
}
` + each("y[i] = clipped(x[i], norm[0]);");
}

const normCode = normShader(), clipCode = clipShader();
const squaredNormBackwardCode = bindings({ sizes: ["size"], outputs: ["gx"], inputs: ["x", "gy"] }) +
  each("gx[i] = 2.0 * (x[i] * gy[0]);");

/** y[at] = scale·‖x‖, computed from the norms of parts as if those were elements. */
export function norm(gpu: Gpu, y: GpuBlock, x: GpuBlock, size: number, at: number, scale: number): void {
  const parts = size <= many * threads ? 1 : Math.ceil(size / (few * threads));
  const normsTo = (norms: GpuBlock, at: number) =>
    gpu.dispatch({
      code: normCode,
      outputs: [norms],
      inputs: [x],
      sizes: [size, Math.ceil(size / parts), parts, at],
      constants: [scale, 1 / unit, unit],
      workgroups: inRows(parts, gpu.limits),
    });
  if (parts === 1) return normsTo(y, at);
  gpu.withScratch(parts, (norms) => {
    normsTo(norms, 0);
    norm(gpu, y, norms, parts, at, 1);
  });
}

/** gx = 2 · gy · x */
export function squaredNormBackward(gpu: Gpu, gx: GpuBlock, x: GpuBlock, gy: GpuBlock, size: number): void {
  runEach(gpu, squaredNormBackwardCode, [gx], [x, gy], [size]);
}

/** y = x · min(1, maxNorm / (N + 1e-6)) where norm is scale·N */
export function clipToNorm(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  norm: GpuBlock,
  size: number,
  maxNorm: number,
  scale: number,
): void {
  const constants = [Math.min(maxNorm * scale, largestFinite), 1e-6 * scale, Math.sqrt(maxNorm * scale)];
  runEach(gpu, clipCode, [y], [x, norm], [size], constants);
}
