import { read, write } from "../../backends/wasm/vectors.as";

/**
 * m' = β₁m + (1 - β₁)g, v' = β₂v + (1 - β₂)g², θ' = θ - ηλθ - η·(m'/c₁) / (√(v'/c₂) + ε). Every element goes through the
 * same operations, each rounded once in both builds: a run repeats bit for bit wherever it is resumed.
 */
export function adamW(
  nextParam: usize,
  nextMean: usize,
  nextVariance: usize,
  param: usize,
  grad: usize,
  mean: usize,
  variance: usize,
  size: i32,
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
  const unbias = f32x4.splat(<f32> (1 / correction2));
  const floor = f32x4.splat(<f32> epsilon);
  const decay = f32x4.splat(<f32> (learningRate * weightDecay));
  for (let at: usize = 0, rest = size; rest > 0; at += 16, rest -= 4) {
    const count = min(4, rest);
    const g = read(grad + at, count), p = read(param + at, count);
    const m = f32x4.add(f32x4.mul(keptMean, read(mean + at, count)), f32x4.mul(newMean, g));
    const v = f32x4.add(
      f32x4.mul(keptVariance, read(variance + at, count)),
      f32x4.mul(f32x4.mul(newVariance, g), g),
    );
    write(nextMean + at, m, count);
    write(nextVariance + at, v, count);
    const deviation = f32x4.add(f32x4.sqrt(f32x4.mul(v, unbias)), floor);
    const step = f32x4.add(f32x4.mul(decay, p), f32x4.div(f32x4.mul(rate, m), deviation));
    write(nextParam + at, f32x4.sub(p, step), count);
  }
}
