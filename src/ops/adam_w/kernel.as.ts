import { read, write } from "../../backends/wasm/vectors.as";

/** Below this, a variance may have lost digits of the gradient's square. */
const least: f32 = 7.888609052210118e-31; // 2^-100
/** So much larger, the gradients of small variances have squares in range: 2^80. */
const unit: f64 = 1.2089258196146292e24;

/**
 * m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε). Where a v' is infinite,
 * overflows[leaf] becomes 1. Every element goes through the same operations, each rounded once in both builds: a run repeats
 * bit for bit wherever it is resumed.
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
  size: i32,
  leaf: i32,
  learningRate: f64,
  beta1: f64,
  beta2: f64,
  epsilon: f64,
  weightDecay: f64,
  correction1: f64,
  correction2: f64,
): void {
  const keptMean = f32x4.splat(<f32> beta1), newMean = f32x4.splat(<f32> (1 - beta1));
  const keptVariance = f32x4.splat(<f32> beta2), newVariance = f32x4.splat(<f32> (1 - beta2));
  const rate = f32x4.splat(<f32> (learningRate / correction1));
  const unbias = f32x4.splat(<f32> sqrt(1 / correction2));
  // Not 0, so that no direction is 0/0.
  const floor = f32x4.splat(max<f32>(<f32> epsilon, f32.MIN_NORMAL_VALUE));
  const decay = f32x4.splat(<f32> (learningRate * weightDecay));
  const rootOfKept = f32x4.splat(<f32> (sqrt(beta2) * unit));
  const rootOfNew = f32x4.splat(<f32> (sqrt(1 - beta2) * unit));
  const zero = f32x4.splat(0), infinity = f32x4.splat(Infinity);
  let infinite = zero;
  for (let at: usize = 0, rest = size; rest > 0; at += 16, rest -= 4) {
    const count = min(4, rest);
    const g = read(grad + at, count), p = read(param + at, count);
    const m = f32x4.add(f32x4.mul(keptMean, read(mean + at, count)), f32x4.mul(newMean, g));
    const before = read(variance + at, count);
    const v = f32x4.add(f32x4.mul(keptVariance, before), f32x4.mul(f32x4.mul(newVariance, g), g));
    write(nextMean + at, m, count);
    write(nextVariance + at, v, count);
    infinite = v128.or(infinite, f32x4.eq(v, infinity));
    let root = f32x4.sqrt(v);
    // Of a gradient whose square vanishes there is still a deviation.
    const vanishing = v128.and(f32x4.lt(v, f32x4.splat(least)), f32x4.ne(g, zero));
    if (v128.any_true(vanishing)) {
      const a = f32x4.mul(rootOfKept, f32x4.sqrt(before)), b = f32x4.mul(rootOfNew, g);
      const sum = f32x4.add(f32x4.mul(a, a), f32x4.mul(b, b));
      const small = f32x4.mul(f32x4.sqrt(sum), f32x4.splat(<f32> (1 / unit)));
      root = v128.bitselect(small, root, vanishing);
    }
    const deviation = f32x4.add(f32x4.mul(root, unbias), floor);
    const step = f32x4.add(f32x4.mul(decay, p), f32x4.mul(rate, f32x4.div(m, deviation)));
    write(nextParam + at, f32x4.sub(p, step), count);
  }
  if (v128.any_true(infinite)) store<f32>(overflows + ((<usize> leaf) << 2), 1);
}
