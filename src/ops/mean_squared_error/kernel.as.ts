import { read } from "../../backends/wasm/vectors.as";

/** loss = Σ weight·(prediction - target)² / (C Σ weight), summed in double precision */
export function meanSquaredError(
  loss: usize,
  prediction: usize,
  target: usize,
  weights: usize,
  rows: i32,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  let total: f64 = 0, weightSum: f64 = 0;
  for (let r = 0; r < rows; r++, prediction += row, target += row) {
    const weight = weightAt(weights, r);
    weightSum += weight;
    // Masked rows may hold any values, including NaN.
    if (weight != 0) total += weight * squares(prediction, target, channels);
  }
  store<f32>(loss, <f32> (total / (<f64> channels * weightSum)));
}

function squares(a: usize, b: usize, size: i32): f64 {
  let low = f64x2.splat(0), high = low;
  for (; size > 0; a += 16, b += 16, size -= 4) {
    const count = min(4, size), difference = f32x4.sub(read(a, count), read(b, count));
    const first = f64x2.promote_low_f32x4(difference);
    const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(difference, difference, 2, 3, 0, 1));
    low = f64x2.add(low, f64x2.mul(first, first)), high = f64x2.add(high, f64x2.mul(second, second));
  }
  const total = f64x2.add(low, high);
  return f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1);
}

// @ts-ignore: decorator
@inline
function weightAt(weights: usize, row: i32): f64 {
  return weights ? <f64> load<f32>(weights + ((<usize> row) << 2)) : 1;
}

/** gPrediction = gLoss · 2 · weight · (prediction - target) / (C Σ weight), gTarget = -gPrediction */
export function meanSquaredErrorBackward(
  gPrediction: usize,
  gTarget: usize,
  gLoss: usize,
  prediction: usize,
  target: usize,
  weights: usize,
  rows: i32,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  let weightSum: f64 = weights ? 0 : <f64> rows;
  if (weights) for (let r = 0; r < rows; r++) weightSum += weightAt(weights, r);
  for (let r = 0; r < rows; r++) {
    const weight = weightAt(weights, r);
    const isMasked = weight == 0 && weightSum != 0;
    const scale = <f32> (<f64> load<f32>(gLoss) * (2 * weight / (<f64> channels * weightSum)));
    for (let c: usize = 0; c < row; c += 4) {
      const g: f32 = isMasked ? 0 : scale * (load<f32>(prediction + c) - load<f32>(target + c));
      store<f32>(gPrediction + c, g);
      store<f32>(gTarget + c, -g);
    }
    gPrediction += row, gTarget += row, prediction += row, target += row;
  }
}
