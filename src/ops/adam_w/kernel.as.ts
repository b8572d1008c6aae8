import { expm1, log } from "../../backends/wasm/doubles.as";
import { read, write } from "../../backends/wasm/vectors.as";

/** Below this, a variance may have lost digits of the squared gradient. */
const least: f32 = 7.888609052210118e-31; // 2^-100
/** The scale for roots of small variances, so that their squares are in range: 2^80. */
const unit: f64 = 1.2089258196146292e24;

/**
 * m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε) with η = rateFactor·rate and
 * c = 1 - βᵗ in step t, from 1. Where a v' is infinite, overflows[leaf] becomes 1. Every element is computed by the
 * same operations, each rounded once in both builds, so that a resumed run repeats bit for bit.
 */
export function adamW(
  nextParam: usize,
  nextMean: usize,
  nextVariance: usize,
  overflows: usize,
  param: usize,
  grad: usize,
  mean: usize,
  variance: usize,
  rate: usize,
  step: usize,
  size: i32,
  leaf: i32,
  rateFactor: f64,
  beta1: f64,
  beta2: f64,
  epsilon: f64,
  weightDecay: f64,
): void {
  const keptMean = f32x4.splat(<f32> beta1), newMean = f32x4.splat(<f32> (1 - beta1));
  const keptVariance = f32x4.splat(<f32> beta2), newVariance = f32x4.splat(<f32> (1 - beta2));
  const keptRoot = f32x4.splat(<f32> (sqrt(beta2) * unit));
  const newRoot = f32x4.splat(<f32> (sqrt(1 - beta2) * unit));
  const t: f64 = load<f32>(step), learningRate = rateFactor * <f64> load<f32>(rate);
  const unbias = f32x4.splat(<f32> sqrt(1 / correction(beta2, t)));
  const rateOfMean = f32x4.splat(<f32> (learningRate / correction(beta1, t)));
  const decay = f32x4.splat(<f32> (learningRate * weightDecay));
  // Not 0, to avoid 0/0.
  const floor = f32x4.splat(max<f32>(<f32> epsilon, f32.MIN_NORMAL_VALUE));
  let largest = f32x4.splat(0);
  let at: usize = 0, rest = size;
  for (; rest >= 4; at += 16, rest -= 4) {
    const g = v128.load(grad + at), before = v128.load(variance + at);
    const m = weighted(keptMean, v128.load(mean + at), newMean, g);
    const v = weighted(keptVariance, before, f32x4.mul(newVariance, g), g);
    const deviation = f32x4.add(f32x4.mul(rootOf(v, keptRoot, before, newRoot, g), unbias), floor);
    largest = f32x4.pmax(largest, v);
    v128.store(nextMean + at, m);
    v128.store(nextVariance + at, v);
    v128.store(nextParam + at, moved(v128.load(param + at), decay, rateOfMean, m, deviation));
  }
  if (rest > 0) {
    const g = read(grad + at, rest), before = read(variance + at, rest);
    const m = weighted(keptMean, read(mean + at, rest), newMean, g);
    const v = weighted(keptVariance, before, f32x4.mul(newVariance, g), g);
    const deviation = f32x4.add(f32x4.mul(rootOf(v, keptRoot, before, newRoot, g), unbias), floor);
    largest = f32x4.pmax(largest, v);
    write(nextMean + at, m, rest);
    write(nextVariance + at, v, rest);
    write(nextParam + at, moved(read(param + at, rest), decay, rateOfMean, m, deviation), rest);
  }
  if (v128.any_true(f32x4.eq(largest, f32x4.splat(Infinity)))) store<f32>(overflows + ((<usize> leaf) << 2), 1);
}

/** 1 - βᵗ, accurate also where βᵗ is close to 1. */
function correction(beta: f64, t: f64): f64 {
  return beta == 0 ? 1 : -expm1(t * log(beta));
}

/** a·x + b·y */
// @ts-ignore: decorator
@inline
function weighted(a: v128, x: v128, b: v128, y: v128): v128 {
  return f32x4.add(f32x4.mul(a, x), f32x4.mul(b, y));
}

/** p - (decay·p + rate·m/deviation) */
// @ts-ignore: decorator
@inline
function moved(p: v128, decay: v128, rate: v128, m: v128, deviation: v128): v128 {
  const step = f32x4.mul(rate, f32x4.div(m, deviation));
  return f32x4.sub(p, f32x4.add(f32x4.mul(decay, p), step));
}

/** √v, also where the square of a gradient g underflowed. */
// @ts-ignore: decorator
@inline
function rootOf(v: v128, keptRoot: v128, before: v128, newRoot: v128, g: v128): v128 {
  const root = f32x4.sqrt(v);
  const isSmall = f32x4.lt(v, f32x4.splat(least));
  if (!v128.any_true(isSmall)) return root;
  const vanishing = v128.and(isSmall, f32x4.ne(g, f32x4.splat(0)));
  if (!v128.any_true(vanishing)) return root;
  const a = f32x4.mul(keptRoot, f32x4.sqrt(before)), b = f32x4.mul(newRoot, g);
  const large = f32x4.sqrt(weighted(a, a, b, b));
  return v128.bitselect(f32x4.mul(large, f32x4.splat(<f32> (1 / unit))), root, vanishing);
}
