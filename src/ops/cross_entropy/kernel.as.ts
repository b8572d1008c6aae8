import { log } from "../../backends/wasm/doubles.as";
import { exp } from "../../backends/wasm/math.as";
import { rowMaximum } from "../softmax/kernel.as";

/** loss = Σ weight·(log Σ e^logits - logits[target]) / Σ weight, added up in double precision */
export function crossEntropy(
  loss: usize,
  logits: usize,
  targets: usize,
  weights: usize,
  rows: i32,
  vocabulary: i32,
): void {
  let total: f64 = 0;
  let weightSum: f64 = 0;
  const row = (<usize> vocabulary) << 2;
  for (let r = 0; r < rows; r++, logits += row, targets += 4) {
    const weight: f64 = weights ? <f64> load<f32>(weights + ((<usize> r) << 2)) : 1;
    weightSum += weight;
    // What is masked may be anything, NaN included.
    if (weight == 0) continue;
    const target = load<f32>(targets);
    if (target >= 0 && target < <f32> vocabulary && floor(target) == target) {
      const logit = <f64> load<f32>(logits + ((<usize> <i32> target) << 2));
      total += weight * (logSumExp(logits, vocabulary) - logit);
    } else {
      total = NaN;
    }
  }
  store<f32>(loss, <f32> (total / weightSum));
}

function logSumExp(x: usize, size: i32): f64 {
  const maximum = rowMaximum(x, size);
  const top = f32x4.splat(maximum);
  const whole = (<usize> (size & ~3)) << 2;
  // In double precision, or a small loss would be lost beside the 1 that the largest logit brings.
  let total = f64x2.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    const share = exp(f32x4.sub(v128.load(x + i), top));
    total = f64x2.add(total, f64x2.promote_low_f32x4(share));
    total = f64x2.add(total, f64x2.promote_low_f32x4(v128.shuffle<f32>(share, share, 2, 3, 0, 1)));
  }
  let all = f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
  for (let i = whole; i < (<usize> size) << 2; i += 4) {
    const share = exp(f32x4.sub(v128.load_splat<f32>(x + i), top));
    all += <f64> f32x4.extract_lane(share, 0);
  }
  // log takes a positive number; a NaN among the logits must come out as one.
  return all > 0 ? log(all) + <f64> maximum : NaN;
}
