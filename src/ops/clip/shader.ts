/**
 * The norm of a gradient, and a gradient at a bounded norm, on a GPU.
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
/** Elements that an invocation squares where there are several workgroups, and the most where there is one. */
const few = 16, many = 128;
/** What large numbers are divided by, and small ones multiplied with, so that their squares are in range. */
const unit = 2 ** 72;

/**
 * y[at] = scale·‖x‖ of every workgroup's part of x, from the sums of the squares of x/2⁷², x and x·2⁷²: whichever of them has
 * neither overflowed nor lost anything.
 */
export function normShader(): string {
  return bindings({
    sizes: ["size", "range", "parts", "at"],
    // Factors that the compiler knew might be drawn together, past the range.
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

/** y = x · min(1, maxNorm / (N + 1e-6)) where norm is scale·N, as are limit and epsilon; a norm that is NaN shows. */
export function clipShader(): string {
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
  // Where single precision can't hold a factor exactly, it holds its root.
  let root = params.root / sqrt(bound);
  return select(x * factor, x * root * root, factor < ${smallestNormal});
}
` + each("y[i] = clipped(x[i], norm[0]);");
}

const normCode = normShader(), clipCode = clipShader();

/** y[at] = scale·‖x‖, from parts' norms as if they were elements. */
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
