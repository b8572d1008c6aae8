/**
 * Pieces of WGSL that many shaders share, and how many workgroups a dispatch has.
 *
 * NaN is told by its bits wherever it matters, because compilers of shaders may take it that there is none: they make
 * numbers of it in comparisons, minima and maxima.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "./gpu.ts";

/** What a shader is bound to, in the order of {@linkcode Dispatch}. An element is an f32 unless a name says `name: u32`. */
export interface Bindings {
  readonly sizes: readonly string[];
  readonly constants?: readonly string[];
  readonly outputs: readonly string[];
  readonly inputs: readonly string[];
  readonly scalars?: readonly string[];
}

/** The declarations of `params` and of the buffers. */
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

/** An entry point of which every workgroup knows its number, `group`, and every invocation its number in it, `lane`. */
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

/** Invocations in a workgroup of {@linkcode each}. */
const eachThreads = 256;

/** An entry point of which every invocation has a number `i` of its own, below `params.size`. */
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

/** So many workgroups, and less than a row more, in as many rows as the device needs. */
export function inRows(groups: number, limits: GPUSupportedLimits): [number, number] {
  const rows = Math.max(1, Math.ceil(groups / limits.maxComputeWorkgroupsPerDimension));
  return [Math.ceil(groups / rows), rows];
}

/** Elements up to which a row is short: few invocations wait less for each other than many. */
const shortRow = 512;

/** A choice of how many invocations share a row, by its length, and of the shader with so many. */
export function forRows(shader: (threads: number) => string): (length: number) => string {
  const short = shader(64), long = shader(256);
  return (length) => length <= shortRow ? short : long;
}

/**
 * The most iterations that the loops of one invocation run through in a dispatch: a software driver ends them all
 * after 65,535, nested ones counted together, without a word. Longer work is split into dispatches.
 */
export const iterationsAtOnce = 60_000;

/** What a loop adds to them, with what it has inside each time; to leave it counts as well, up to twice. */
export function iterationsOf(times: number, inside = 0): number {
  return times * (1 + inside) + 2;
}

/**
 * A function `name(lane, value)` that all invocations of a workgroup call at once, and that gives each of them what
 * their values come to together.
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
  // Nobody writes the next values before everybody has read.
  workgroupBarrier();
  return all;
}
`;
}

/** The least and the greatest of the positive numbers of single precision that keep all of their digits. */
export const smallestNormal = 2 ** -126, largestFinite = (2 - 2 ** -23) * 2 ** 127;

/** Functions that make a NaN, and that tell NaN and infinities by their bits. */
export const nan = `
fn isNan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn isFinite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

// Of any number that is not known before the shader runs: a NaN among the constants is an error.
fn nanOf(any: u32) -> f32 {
  return bitcast<f32>(0x7fc00000u | (any & 1u));
}
`;

/**
 * Floats as integers of the same order, -0 and 0 as one and every NaN above all numbers: maxima of these can't lose
 * a NaN, and the integers can be bisected. Needs {@linkcode nan}.
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
 * e^x within 2 ulp, where the built-in one may be off by 3 + 2|x|; from 0 below e^-87, by the driver, to infinity.
 * Needs {@linkcode nan}.
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
  // 2^n may be past the range of floats where e^x is not, or where it is infinite.
  let half = i32(n) >> 1u;
  return select(p * powerOf2(half) * powerOf2(i32(n) - half), x, isNan(x));
}
`;

/**
 * Powers of two: what is multiplied by the one and later by the other is not rounded by it. They take what would overflow, or
 * vanish, to where it does neither.
 */
export const units = `
// 2^n of the exponent n of a number, from 2^-126 to 2^126.
fn unitOf(x: f32) -> f32 {
  return bitcast<f32>(clamp(bitcast<u32>(x) & 0x7f800000u, 0x00800000u, 0x7e800000u));
}

fn oneOver(unit: f32) -> f32 {
  return bitcast<f32>(0x7f000000u - bitcast<u32>(unit));
}

// a·b·unit, with the factor first that is the larger where the unit is small, and the other way round.
fn inUnits(a: f32, b: f32, unit: f32) -> f32 {
  return select(a * (b * unit), (a * unit) * b, (abs(a) >= abs(b)) == (unit <= 1.0));
}
`;

/** 1 / (1 + e^-x), accurate where it is small, too. Needs {@linkcode exponential}. */
export const logistic = `
fn logistic(x: f32) -> f32 {
  let e = exponential(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
`;

/** tanh x, accurate where it is small and where the built-in one overflows. Needs {@linkcode exponential}. */
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

/** ln x of a positive normal number and ln(1 + x) of one that is not negative, both accurate where they are near 0. */
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
