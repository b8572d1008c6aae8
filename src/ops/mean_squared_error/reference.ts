import type { Floats } from "../../tensor.ts";

/** loss = Σ weight·(prediction - target)² / (C Σ weight) */
export function meanSquaredError(
  loss: Floats,
  prediction: Floats,
  target: Floats,
  weights: Floats | null,
  rows: number,
  channels: number,
): void {
  let total = 0, weightSum = 0;
  for (let row = 0; row < rows; row++) {
    const weight = weights === null ? 1 : weights[row];
    weightSum += weight;
    // Masked rows may hold any values, including NaN.
    if (weight === 0) continue;
    for (let at = row * channels; at < (row + 1) * channels; at++) {
      total += weight * (prediction[at] - target[at]) ** 2;
    }
  }
  loss[0] = total / (channels * weightSum);
}

/** gPrediction = gLoss · 2 · weight · (prediction - target) / (C Σ weight), gTarget = -gPrediction */
export function meanSquaredErrorBackward(
  gPrediction: Floats,
  gTarget: Floats,
  gLoss: Floats,
  prediction: Floats,
  target: Floats,
  weights: Floats | null,
  rows: number,
  channels: number,
): void {
  let weightSum = 0;
  for (let row = 0; row < rows; row++) weightSum += weights === null ? 1 : weights[row];
  for (let row = 0; row < rows; row++) {
    const weight = weights === null ? 1 : weights[row];
    const isMasked = weight === 0 && weightSum !== 0;
    const scale = gLoss[0] * (2 * weight / (channels * weightSum));
    for (let at = row * channels; at < (row + 1) * channels; at++) {
      gPrediction[at] = isMasked ? 0 : scale * (prediction[at] - target[at]);
      gTarget[at] = -gPrediction[at];
    }
  }
}
