// Elementary functions in double precision, where single precision is not enough: the noise and the thresholds of
// `sample`, the angles of `rotary`, the logarithm of `crossEntropy`, the corrections of `adamW`. AssemblyScript's
// own add several kilobytes of tables to the module.

/** ln 2 in two parts; up to 2,000,000 multiples of the first are exact. */
const LN2_HIGH: f64 = 0.693147180369123816490;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** e^x for x up to 700, by its Taylor series; 0 below -708. */
export function exp(x: f64): f64 {
  if (!(x > -708)) return x != x ? x : 0;
  const n = nearest(x * 1.4426950408889634);
  const r = (x - n * LN2_HIGH) - n * LN2_LOW;
  return (shortExpm1(r) + 1) * reinterpret<f64>((<i64> n + 1023) << 52);
}

/** e^x - 1 for x up to 700, accurate near 0. */
export function expm1(x: f64): f64 {
  return abs(x) < 0.35 ? shortExpm1(x) : exp(x) - 1;
}

/** e^r - 1 for |r| up to 0.35 */
// @ts-ignore: decorator
@inline
function shortExpm1(r: f64): f64 {
  let p: f64 = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1;
  return p * r;
}

/**
 * ln x for a positive normal x: with x = 2^n·m, ln m = 2·artanh s = 2·(s + s³/3 + s⁵/5 …) with s = (m - 1) / (m +
 * 1)
 */
export function log(x: f64): f64 {
  // Shifted so that m is between √½ and √2.
  const shifted = reinterpret<i64>(x) - 0x3FE6A09E667F3BCD;
  const n = <f64> (shifted >> 52);
  const m = reinterpret<f64>((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD);
  return n * LN2_HIGH + (twiceArtanh((m - 1) / (m + 1)) + n * LN2_LOW);
}

/** ln(1 + x) for x ≥ 0, accurate near 0. */
export function log1p(x: f64): f64 {
  return x < 0.4 ? twiceArtanh(x / (2 + x)) : log(1 + x);
}

/** 2 artanh s for |s| up to 0.172 */
function twiceArtanh(s: f64): f64 {
  const z = s * s;
  let p: f64 = 1.0 / 21;
  p = p * z + 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  return 2 * s + 2 * s * z * p;
}

/** π/2 in three parts; up to 2^20 multiples of the first two are exact. */
const HALF_PI_HIGH: f64 = 1.57079632673412561417;
const HALF_PI_MIDDLE: f64 = 6.07710050630396597660e-11;
const HALF_PI_LOW: f64 = 2.02226624879595063154e-21;

/** The remainder of an angle after subtracting its nearest multiple of π/2; accurate up to a million radians. */
export function quarterTurnRest(angle: f64): f64 {
  const n = quarterTurns(angle);
  return ((angle - n * HALF_PI_HIGH) - n * HALF_PI_MIDDLE) - n * HALF_PI_LOW;
}

/** The nearest integer number of quarter turns. */
// @ts-ignore: decorator
@inline
export function quarterTurns(angle: f64): f64 {
  return nearest(angle * 0.6366197723675814);
}

/** sin r for |r| up to π/4 */
export function shortSin(r: f64): f64 {
  const z = r * r;
  let p: f64 = 1.0 / 6227020800;
  p = p * z - 1.0 / 39916800;
  p = p * z + 1.0 / 362880;
  p = p * z - 1.0 / 5040;
  p = p * z + 1.0 / 120;
  p = p * z - 1.0 / 6;
  return r + r * z * p;
}

/** cos r for |r| up to π/4 */
export function shortCos(r: f64): f64 {
  const z = r * r;
  let p: f64 = 1.0 / 479001600;
  p = p * z - 1.0 / 3628800;
  p = p * z + 1.0 / 40320;
  p = p * z - 1.0 / 720;
  p = p * z + 1.0 / 24;
  p = p * z - 0.5;
  return 1 + z * p;
}
