import * as vector from "../../backends/wasm/math.as";
import { loadPart, madd, storePart } from "../../backends/wasm/vectors.as";

/** y = e^x */
export function exp(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, vector.exp(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, vector.exp(loadPart(x, rest)), rest);
}

const HALF = memory.data<f32>([0.5]);
/** The square of e to this power exceeds all floats, but 0 times it is still 0. */
const MOST = memory.data<f32>([88]);

/** gx = gy · e^x, as two factors of e^(x/2), since e^x may overflow where the product does not */
export function expBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, expBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, expBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function expBackward4(gy: v128, x: v128): v128 {
  const half = vector.exp(f32x4.pmin(f32x4.mul(x, vector.constant(HALF)), vector.constant(MOST)));
  return f32x4.mul(f32x4.mul(gy, half), half);
}

/** y = ln x */
export function log(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, log4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, log4(loadPart(x, rest)), rest);
}

const SMALLEST_NORMAL = memory.data<f32>([1.1754943508222875e-38]);
const TWO_TO_23 = memory.data<f32>([8388608]);
const TWENTY_THREE = memory.data<f32>([23]);
const TWO = memory.data<f32>([2]);
/** The bits of √½. */
const ROOT_OF_HALF = memory.data<i32>([0x3F3504F3]);
/** ln 2 in two parts; up to 1024 multiples of the first are exact. */
const LN2_HIGH = memory.data<f32>([0.693359375]);
const LN2_LOW = memory.data<f32>([-2.12194440e-4]);
const INFINITE = memory.data<f32>([Infinity]);
const MINUS_INFINITE = memory.data<f32>([-Infinity]);
const NOT_A_NUMBER = memory.data<f32>([NaN]);

/** With x = m·2^n and m from √½ to √2: ln x = n·ln 2 + 2·artanh s with s = (m - 1) / (m + 1) */
// @ts-ignore: decorator
@inline
function log4(x: v128): v128 {
  const zero = f32x4.splat(0), one = vector.constant(vector.ONE);
  const small = f32x4.lt(x, vector.constant(SMALLEST_NORMAL));
  const normal = v128.bitselect(f32x4.mul(x, vector.constant(TWO_TO_23)), x, small);
  const exponent = i32x4.shr_s(i32x4.sub(normal, vector.constant(ROOT_OF_HALF)), 23);
  const m = i32x4.sub(normal, i32x4.shl(exponent, 23));
  const n = f32x4.sub(f32x4.convert_i32x4_s(exponent), v128.and(vector.constant(TWENTY_THREE), small));
  const r = twiceArtanh4(f32x4.div(f32x4.sub(m, one), f32x4.add(m, one)));
  let y = madd(n, vector.constant(LN2_HIGH), madd(n, vector.constant(LN2_LOW), r));
  y = v128.bitselect(vector.constant(INFINITE), y, f32x4.eq(x, vector.constant(INFINITE)));
  y = v128.bitselect(vector.constant(MINUS_INFINITE), y, f32x4.eq(x, zero));
  // Neither NaN nor a number below 0 is at least 0.
  return v128.bitselect(y, vector.constant(NOT_A_NUMBER), f32x4.ge(x, zero));
}

/** y = ln(1 + e^x) */
export function softplus(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, softplus4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, softplus4(loadPart(x, rest)), rest);
}

/** max(x, 0) + ln(1 + t) with t = e^-|x|, where ln(1 + t) = 2·artanh(t / (2 + t)) */
// @ts-ignore: decorator
@inline
function softplus4(x: v128): v128 {
  const t = vector.exp(f32x4.neg(f32x4.abs(x)));
  const rest = twiceArtanh4(f32x4.div(t, f32x4.add(t, vector.constant(TWO))));
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), rest);
}

const THIRD = memory.data<f32>([0.3333333333333333]);
const FIFTH = memory.data<f32>([0.2]);
const SEVENTH = memory.data<f32>([0.14285714285714285]);
const NINTH = memory.data<f32>([0.1111111111111111]);
const ELEVENTH = memory.data<f32>([0.09090909090909091]);
const THIRTEENTH = memory.data<f32>([0.07692307692307693]);
const FIFTEENTH = memory.data<f32>([0.06666666666666667]);

/** 2 artanh s = 2·(s + s³/3 + s⁵/5 …) for |s| up to 1/3 */
// @ts-ignore: decorator
@inline
function twiceArtanh4(s: v128): v128 {
  const z = f32x4.mul(s, s);
  let p = madd(z, vector.constant(FIFTEENTH), vector.constant(THIRTEENTH));
  p = madd(z, p, vector.constant(ELEVENTH));
  p = madd(z, p, vector.constant(NINTH));
  p = madd(z, p, vector.constant(SEVENTH));
  p = madd(z, p, vector.constant(FIFTH));
  p = madd(z, p, vector.constant(THIRD));
  const twice = f32x4.add(s, s);
  return madd(f32x4.mul(twice, z), p, twice);
}

/** gx = gy / (1 + e^-x) */
export function softplusBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, softplusBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, softplusBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function softplusBackward4(gy: v128, x: v128): v128 {
  return f32x4.mul(gy, vector.sigmoid(x));
}
