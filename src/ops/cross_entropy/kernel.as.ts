import { log1p } from "../../backends/wasm/doubles.as";
import { exp } from "../../backends/wasm/math.as";
import { read, sum, write } from "../../backends/wasm/vectors.as";
import { rowMaximum } from "../softmax/kernel.as";

/** loss = Σ weight·(log Σ e^logits - logits[target]) / Σ weight, summed in double precision */
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
    // Masked rows may hold any values, including NaN.
    if (weight == 0) continue;
    const target = load<f32>(targets);
    if (target >= 0 && target < <f32> vocabulary && floor(target) == target) {
      const logit = <f64> load<f32>(logits + ((<usize> <i32> target) << 2));
      total += weight * rowLoss(logits, vocabulary, logit);
    } else {
      total = NaN;
    }
  }
  store<f32>(loss, <f32> (total / weightSum));
}

/** log Σ e^x - logit */
function rowLoss(x: usize, size: i32, logit: f64): f64 {
  const maximum = rowMaximum(x, size);
  const top = f32x4.splat(maximum);
  const whole = (<usize> (size & ~3)) << 2;
  // In double precision and with the maxima counted separately, since adding a small loss to their 1s would round
  // it away.
  let total = f64x2.splat(0), largest = i32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    const logits = v128.load(x + i), equal = f32x4.eq(logits, top);
    const share = v128.andnot(exp(f32x4.sub(logits, top)), equal);
    largest = i32x4.sub(largest, equal);
    total = f64x2.add(total, f64x2.promote_low_f32x4(share));
    total = f64x2.add(total, f64x2.promote_low_f32x4(v128.shuffle<f32>(share, share, 2, 3, 0, 1)));
  }
  let others = f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
  let count = i32x4.extract_lane(largest, 0) + i32x4.extract_lane(largest, 1);
  count += i32x4.extract_lane(largest, 2) + i32x4.extract_lane(largest, 3);
  for (let i = whole; i < (<usize> size) << 2; i += 4) {
    const share = exp(f32x4.sub(v128.load_splat<f32>(x + i), top));
    if (load<f32>(x + i) == maximum) count++;
    else others += <f64> f32x4.extract_lane(share, 0);
  }
  others += <f64> (count - 1);
  // A NaN among the logits must propagate, and an infinite maximum has no softmax.
  if (!(others >= 0 && abs(maximum) < Infinity)) return NaN;
  // Subtracting the logits from each other first is exact even for logits of 1e20.
  return log1p(others) + (<f64> maximum - logit);
}

/** gLogits = gLoss · weight · (softmax(logits) - [i = target]) / Σ weight */
export function crossEntropyBackward(
  gLogits: usize,
  gLoss: usize,
  logits: usize,
  targets: usize,
  weights: usize,
  rows: i32,
  vocabulary: i32,
): void {
  let weightSum: f64 = weights ? 0 : <f64> rows;
  if (weights) for (let r = 0; r < rows; r++) weightSum += <f64> load<f32>(weights + ((<usize> r) << 2));
  const share = <f64> load<f32>(gLoss) / weightSum;
  const row = (<usize> vocabulary) << 2;
  for (let r = 0; r < rows; r++, gLogits += row, logits += row, targets += 4) {
    const weight: f64 = weights ? <f64> load<f32>(weights + ((<usize> r) << 2)) : 1;
    // Masked rows may hold any values, including NaN.
    if (weight == 0 && weightSum != 0) {
      memory.fill(gLogits, 0, row);
      continue;
    }
    const target = load<f32>(targets);
    if (target >= 0 && target < <f32> vocabulary && floor(target) == target) {
      const at = (<usize> <i32> target) << 2;
      backwardRow(gLogits, gLogits + at, logits, vocabulary, <f32> (share * weight));
    } else {
      for (let i: usize = 0; i < row; i += 4) store<f32>(gLogits + i, NaN);
    }
  }
}

/**
 * The target's gradient is minus the sum of the others: computing 1 - softmax would round if the target is almost
 * certain.
 */
function backwardRow(gLogits: usize, target: usize, logits: usize, vocabulary: i32, scale: f32): void {
  const top = f32x4.splat(rowMaximum(logits, vocabulary));
  for (let i: usize = 0, count = vocabulary; count > 0; i += 16, count -= 4) {
    const part = min(4, count);
    write(gLogits + i, exp(f32x4.sub(read(logits + i, part), top)), part);
  }
  const own = load<f32>(target);
  store<f32>(target, 0);
  let sums = f32x4.splat(0);
  for (let i: usize = 0, count = vocabulary; count > 0; i += 16, count -= 4) {
    sums = f32x4.add(sums, read(gLogits + i, min(4, count)));
  }
  const others = sum(sums);
  const factor = scale / (others + own);
  for (let i: usize = 0, count = vocabulary; count > 0; i += 16, count -= 4) {
    const part = min(4, count);
    write(gLogits + i, f32x4.mul(read(gLogits + i, part), f32x4.splat(factor)), part);
  }
  store<f32>(target, -others * factor);
}
