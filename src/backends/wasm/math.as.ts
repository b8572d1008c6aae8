// Exponentials and their kin, four at a time, each within 3 ulp where the result is a normal number. Nothing here may
// turn NaN into a number: pmin and pmax return their first argument when a comparison with NaN fails, which is why the
// variable stands first. (The exact min and max and the saturating conversions take several instructions each.)

import { madd, nmadd } from "./vectors.as";

/** ln 2 in two parts; up to 128 multiples of the first are exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
const LOG2_E: f32 = 1.44269504;
/** Added to a small integer n in floating point, this leaves n in the low bits. */
const INTEGER: f32 = 12582912;

/** e^x = 2^n·(1 + r·q(r)) with r from 0 to ln 2: 2^n then is a normal number whenever e^x is one. */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, f32x4.splat(89)), f32x4.splat(-88));
  const n = f32x4.floor(f32x4.mul(x, f32x4.splat(LOG2_E)));
  const r = nmadd(n, f32x4.splat(LN2_LOW), nmadd(n, f32x4.splat(LN2_HIGH), x));
  const scale = i32x4.shl(f32x4.add(n, f32x4.splat(INTEGER + 127)), 23);
  let q = madd(r, f32x4.splat(0.0018705648168210285), f32x4.splat(0.007943651961551331));
  q = madd(r, q, f32x4.splat(0.041807554369179184));
  q = madd(r, q, f32x4.splat(0.16664401494173403));
  q = madd(r, q, f32x4.splat(0.5000013137965977));
  q = madd(r, q, f32x4.splat(1));
  return f32x4.mul(madd(r, q, f32x4.splat(1)), scale);
}

/** 1 / (1 + e^-x) */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(x))));
}

/** With m = e^2|x| - 1, taken without cancellation: tanh |x| = m / (m + 2) */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const twice = f32x4.pmin(f32x4.mul(f32x4.abs(x), f32x4.splat(2)), f32x4.splat(20));
  const n = f32x4.nearest(f32x4.mul(twice, f32x4.splat(LOG2_E)));
  const r = nmadd(n, f32x4.splat(LN2_LOW), nmadd(n, f32x4.splat(LN2_HIGH), twice));
  const scale = i32x4.shl(f32x4.add(n, f32x4.splat(INTEGER + 127)), 23);
  let q = madd(r, f32x4.splat(0.0013888872335797904), f32x4.splat(0.008369786579097553));
  q = madd(r, q, f32x4.splat(0.041667155269070416));
  q = madd(r, q, f32x4.splat(0.16666499716679561));
  q = madd(r, q, f32x4.splat(0.49999998009550267));
  q = madd(r, q, f32x4.splat(1));
  const m = madd(scale, f32x4.mul(r, q), f32x4.sub(scale, f32x4.splat(1)));
  const y = f32x4.div(m, f32x4.add(m, f32x4.splat(2)));
  const sign = i32x4.splat(0x80000000);
  return v128.or(y, v128.and(x, sign));
}
