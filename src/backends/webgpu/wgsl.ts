/**
 * WGSL fragments shared by many shaders, and the number of workgroups of a dispatch.
 *
 * Where it matters, NaN is detected by its bits, because shader compilers may assume that there are none:
 * comparisons, minima and maxima then treat NaN as a number.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "./gpu.ts";

/** The bindings of a shader, in the order of {@linkcode Dispatch}. Elements are f32 unless a name says `name: u32`. */
interface Bindings {
  readonly sizes: readonly string[];
  readonly constants?: readonly string[];
  readonly outputs: readonly string[];
  readonly inputs: readonly string[];
  readonly scalars?: readonly string[];
}

/** Declares `params` and the buffers. */
export function bindings({ sizes, constants = [], outputs, inputs, scalars = [] }: Bindings): string {
  const members = [...sizes.map((name) => `${name}: u32`), ...constants.map((name) => `${name}: f32`)];
  const buffers = [
    ...outputs.map((name) => ["read_write", name]),
    ...inputs.map((name) => ["read", name]),
  ].map(([access, buffer], i) => {
    const [name, element = "f32"] = buffer.split(": ");
    return `@group(0) @binding(${i + 1}) var<storage, ${access}> ${name}: array<${element}>;\n`;
  });
  const before = 1 + buffers.length;
  const uniforms = scalars.map((name, i) => `@group(0) @binding(${before + i}) var<uniform> ${name}: f32;\n`);
  return `struct Params { ${members.join(", ")} }
@group(0) @binding(0) var<uniform> params: Params;
${buffers.join("")}${uniforms.join("")}`;
}

/** An entry point with the index `group` of the workgroup, and the index `lane` of the invocation in it. */
export function main(threads: number, body: string): string {
  return `
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup.y * workgroups.x + workgroup.x;
  ${body}
}
`;
}

/** The size of a workgroup of {@linkcode each}. */
const eachThreads = 256;

/** An entry point that runs once for each `i` below `params.size`. */
export function each(body: string): string {
  return main(
    eachThreads,
    `let i = group * ${eachThreads}u + lane;
  if (i >= params.size) { return; }
  ${body}`,
  );
}

/** Runs a shader of {@linkcode each}; the first of the sizes is `params.size`. */
export function runEach(
  gpu: Gpu,
  code: string,
  outputs: readonly GpuBlock[],
  inputs: readonly GpuBlock[],
  sizes: readonly number[],
  constants?: readonly number[],
  scalars?: readonly GpuBlock[],
): void {
  const workgroups = inRows(Math.ceil(sizes[0] / eachThreads), gpu.limits);
  gpu.dispatch({ code, outputs, inputs, scalars, sizes, constants, workgroups });
}

/** Arranges at least `groups` workgroups, and less than a row more, in as many rows as the device's limits require. */
export function inRows(groups: number, limits: GPUSupportedLimits): [number, number] {
  const rows = Math.max(1, Math.ceil(groups / limits.maxComputeWorkgroupsPerDimension));
  return [Math.ceil(groups / rows), rows];
}

/** The longest row that is short, so that a small workgroup, which waits less at barriers, is faster. */
const shortRow = 512;

/** Chooses between two variants of a shader, with the number of invocations that share a row, by the row's length. */
export function forRows(shader: (threads: number) => string): (length: number) => string {
  const short = shader(64), long = shader(256);
  return (length) => length <= shortRow ? short : long;
}

/**
 * The most iterations of all loops of an invocation in a dispatch. A software driver silently ends all loops after
 * 65,535, nested ones counted together; longer computations are split into dispatches.
 */
export const iterationsAtOnce = 60_000;

/**
 * The iterations of a loop that runs `times` times with `inside` iterations in its body; leaving it counts too, up
 * to twice.
 */
export function iterationsOf(times: number, inside = 0): number {
  return times * (1 + inside) + 2;
}

/**
 * A function `name(lane, value)` that all invocations of a workgroup call at once; it returns the combination of
 * all values to each.
 */
export function reduction(
  name: string,
  type: string,
  threads: number,
  combine: (a: string, b: string) => string,
): string {
  return `
var<workgroup> ${name}Parts: array<${type}, ${threads}>;

fn ${name}(lane: u32, value: ${type}) -> ${type} {
  ${name}Parts[lane] = value;
  workgroupBarrier();
  for (var width = ${threads / 2}u; width > 0u; width >>= 1u) {
    if (lane < width) {
      let a = ${name}Parts[lane];
      let b = ${name}Parts[lane + width];
      ${name}Parts[lane] = ${combine("a", "b")};
    }
    workgroupBarrier();
  }
  let all = ${name}Parts[0];
  // No invocation may write its next value before all have read.
  workgroupBarrier();
  return all;
}
`;
}

/** The smallest and the largest positive normal number of single precision. */
export const smallestNormal = 2 ** -126, largestFinite = (2 - 2 ** -23) * 2 ** 127;

/** Functions that make NaN, and that detect NaN and infinities by their bits. */
export const nan = `
fn isNan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn isFinite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

// Takes a number that is unknown at compile time: a constant NaN is an error.
fn nanOf(any: u32) -> f32 {
  return bitcast<f32>(0x7fc00000u | (any & 1u));
}
`;

/**
 * Maps floats to integers of the same order, with -0 equal to 0 and every NaN above all numbers, so that a maximum
 * can't lose a NaN and values can be bisected. Needs {@linkcode nan}.
 */
export const rank = `
const rankOfInfinity = 0xff800000u;
const rankOfMinusInfinity = 0x007fffffu;
const rankOfNan = 0xffffffffu;

fn rank(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (isNan(x)) { return rankOfNan; }
  if (bits == 0x80000000u) { return bits; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn unrank(place: u32) -> f32 {
  return bitcast<f32>(select(~place, place & 0x7fffffffu, (place >> 31u) == 1u));
}
`;

/**
 * e^x within 2 ulp, where the built-in function may be off by 3 + 2|x|; from 0 below e^-87, depending on the
 * driver, to infinity. Needs {@linkcode nan}.
 */
export const exponential = `
fn powerOf2(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}

fn exponential(x: f32) -> f32 {
  let bounded = clamp(x, -110.0, 100.0);
  let n = round(bounded * 1.44269504);
  // ln 2 in two parts; multiples of the first are exact.
  let r = (bounded - n * 0.693359375) - n * -2.12194440e-4;
  var p = 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  // 2^n may overflow where e^x does not, or where e^x is infinite.
  let half = i32(n) >> 1u;
  return select(p * powerOf2(half) * powerOf2(i32(n) - half), x, isNan(x));
}
`;

/**
 * Powers of two that scale without rounding: multiplying by one and later by its inverse keeps intermediate results
 * from overflowing or vanishing.
 */
export const units = `
// 2^n for the exponent n of a number, clamped to 2^-126 to 2^126.
fn unitOf(x: f32) -> f32 {
  return bitcast<f32>(clamp(bitcast<u32>(x) & 0x7f800000u, 0x00800000u, 0x7e800000u));
}

fn oneOver(unit: f32) -> f32 {
  return bitcast<f32>(0x7f000000u - bitcast<u32>(unit));
}

// a·b·unit, in an order that avoids overflow: the larger factor is scaled first if the unit is small, else the
// smaller.
fn inUnits(a: f32, b: f32, unit: f32) -> f32 {
  return select(a * (b * unit), (a * unit) * b, (abs(a) >= abs(b)) == (unit <= 1.0));
}
`;

/** 1 / (1 + e^-x), accurate also where it is small. Needs {@linkcode exponential}. */
export const logistic = `
fn logistic(x: f32) -> f32 {
  let e = exponential(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
`;

/** tanh x, accurate where it is small and where the built-in function overflows. Needs {@linkcode exponential}. */
export const hyperbolicTangent = `
fn hyperbolicTangent(x: f32) -> f32 {
  // The continued fraction x / (1 + x² / (3 + x² / (5 + x² / (7 + x² / 9)))).
  let z = x * x;
  let near = x * (945.0 + z * (105.0 + z)) / (945.0 + z * (420.0 + z * 15.0));
  let e = exponential(-2.0 * abs(x));
  let far = (1.0 - e) / (1.0 + e);
  return select(select(-far, far, x >= 0.0), near, abs(x) < 0.6);
}
`;

/** ln x for positive normal x and ln(1 + x) for x ≥ 0, both accurate near 0. */
export const logarithm = `
// 2 artanh s for |s| up to 0.172
fn twiceArtanh(s: f32) -> f32 {
  let z = s * s;
  return 2.0 * s * (1.0 + z * (1.0 / 3.0 + z * (0.2 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))));
}

fn logarithm(x: f32) -> f32 {
  // x = m·2^n with m from √½ to √2
  let n = bitcast<i32>(bitcast<u32>(x) - 0x3f3504f3u) >> 23u;
  let m = bitcast<f32>(bitcast<u32>(x) - (bitcast<u32>(n) << 23u));
  let r = twiceArtanh((m - 1.0) / (m + 1.0));
  return f32(n) * 0.693359375 + (f32(n) * -2.12194440e-4 + r);
}

fn logarithmOf1Plus(x: f32) -> f32 {
  if (x < 0.4) { return twiceArtanh(x / (2.0 + x)); }
  return logarithm(1.0 + x);
}
`;

/** The hash pcg4d; see `src/ops/sample/pcg4d.ts`. */
export const pcg4dCode = `
fn pcg4d(counters: vec4u) -> u32 {
  var v = counters * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4u(16u);
  return v.x + v.y * v.w;
}
`;
