// Exponentials and related functions, four at a time, each within 3 ulp where the result is a normal number. NaN
// must stay NaN: pmin and pmax return their first argument when a comparison with NaN fails, so the variable comes
// first. (The exact min and max and the saturating conversions take several instructions each.)

import { madd, nmadd } from "./vectors.as";

// Constants are kept in memory: V8 builds a vector constant from 64-bit halves at every use, even inside loops,
// which made e^x twice as slow as loading it.
export const ONE = memory.data<f32>([1]);
const TWO = memory.data<f32>([2]);
const LOG2_E = memory.data<f32>([1.44269504]);
/** ln 2 in two parts; up to 128 multiples of the first are exact. */
const LN2_HIGH = memory.data<f32>([0.693359375]);
const LN2_LOW = memory.data<f32>([-2.12194440e-4]);
/** Adding this to a small integer n in floating point leaves the exponent bits of 2^n in the low bits. */
const EXPONENT = memory.data<f32>([12582912 + 127]);

/** Beyond these, e^x is infinite or 0, and so is its 2^n. */
const HIGHEST = memory.data<f32>([89]);
const LOWEST = memory.data<f32>([-88]);
const Q1 = memory.data<f32>([0.5000013137965977]);
const Q2 = memory.data<f32>([0.16664401494173403]);
const Q3 = memory.data<f32>([0.041807554369179184]);
const Q4 = memory.data<f32>([0.007943651961551331]);
const Q5 = memory.data<f32>([0.0018705648168210285]);

/** e^x = 2^n·(1 + r·q(r)) with r from 0 to ln 2, so that 2^n is a normal number whenever e^x is one. */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, constant(HIGHEST)), constant(LOWEST));
  const n = f32x4.floor(f32x4.mul(x, constant(LOG2_E)));
  const r = nmadd(n, constant(LN2_LOW), nmadd(n, constant(LN2_HIGH), x));
  const scale = i32x4.shl(f32x4.add(n, constant(EXPONENT)), 23);
  let q = madd(r, constant(Q5), constant(Q4));
  q = madd(r, q, constant(Q3));
  q = madd(r, q, constant(Q2));
  q = madd(r, q, constant(Q1));
  q = madd(r, q, constant(ONE));
  return f32x4.mul(madd(r, q, constant(ONE)), scale);
}

/** 1 / (1 + e^-x) */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const one = constant(ONE);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(x))));
}

/** Beyond half of this, tanh is 1 to single precision. */
const STEEP = memory.data<f32>([20]);
const T1 = memory.data<f32>([0.49999998009550267]);
const T2 = memory.data<f32>([0.16666499716679561]);
const T3 = memory.data<f32>([0.041667155269070416]);
const T4 = memory.data<f32>([0.008369786579097553]);
const T5 = memory.data<f32>([0.0013888872335797904]);

/** With m = e^2|x| - 1 = 2^n·(r + r²·q(r)) + (2^n - 1), which avoids cancellation: tanh |x| = m / (m + 2) */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const size = f32x4.abs(x);
  const twice = f32x4.pmin(f32x4.add(size, size), constant(STEEP));
  const n = f32x4.nearest(f32x4.mul(twice, constant(LOG2_E)));
  const r = nmadd(n, constant(LN2_LOW), nmadd(n, constant(LN2_HIGH), twice));
  const scale = i32x4.shl(f32x4.add(n, constant(EXPONENT)), 23);
  let q = madd(r, constant(T5), constant(T4));
  q = madd(r, q, constant(T3));
  q = madd(r, q, constant(T2));
  q = madd(r, q, constant(T1));
  const m = madd(scale, madd(f32x4.mul(r, r), q, r), f32x4.sub(scale, constant(ONE)));
  const y = f32x4.div(m, f32x4.add(m, constant(TWO)));
  return v128.or(y, v128.xor(x, size));
}

/** Loads one of these constants into all four lanes. */
// @ts-ignore: decorator
@inline
export function constant(address: usize): v128 {
  return v128.load_splat<f32>(address);
}
