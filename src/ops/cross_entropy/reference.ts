import type { Floats } from "../../tensor.ts";

/** loss = Σ weight·(log Σ e^logits - logits[target]) / Σ weight */
export function crossEntropy(
  loss: Floats,
  logits: Floats,
  targets: Floats,
  weights: Floats | null,
  rows: number,
  vocabulary: number,
): void {
  let total = 0, weightSum = 0;
  for (let row = 0; row < rows; row++) {
    const weight = weights === null ? 1 : weights[row];
    weightSum += weight;
    // Masked rows may hold any values, including NaN.
    if (weight === 0) continue;
    const at = row * vocabulary;
    const target = targets[row];
    const known = target >= 0 && target < vocabulary && Number.isInteger(target);
    let top = 0;
    for (let i = 1; i < vocabulary; i++) if (!(logits[at + i] <= logits[at + top])) top = i;
    const largest = logits[at + top];
    // Without the largest: log1p adds its 1, which would round away a small loss.
    let others = 0;
    for (let i = 0; i < vocabulary; i++) others += i === top ? 0 : Math.exp(logits[at + i] - largest);
    // Subtracting the logits from each other first is exact even for logits of 1e20.
    const below = largest - logits[at + target];
    total += weight * (known && Math.abs(largest) < Infinity ? Math.log1p(others) + below : NaN);
  }
  loss[0] = total / weightSum;
}

/** gLogits = gLoss · weight · (softmax(logits) - [i = target]) / Σ weight */
export function crossEntropyBackward(
  gLogits: Floats,
  gLoss: Floats,
  logits: Floats,
  targets: Floats,
  weights: Floats | null,
  rows: number,
  vocabulary: number,
): void {
  let weightSum = 0;
  for (let row = 0; row < rows; row++) weightSum += weights === null ? 1 : weights[row];
  for (let row = 0; row < rows; row++) {
    const at = row * vocabulary;
    const weight = weights === null ? 1 : weights[row];
    // Masked rows may hold any values, including NaN.
    if (weight === 0 && weightSum !== 0) {
      gLogits.fill(0, at, at + vocabulary);
      continue;
    }
    const target = targets[row];
    const known = target >= 0 && target < vocabulary && Number.isInteger(target);
    const scale = known ? gLoss[0] * weight / weightSum : NaN;
    let largest = -Infinity;
    for (let i = 0; i < vocabulary; i++) largest = Math.max(largest, logits[at + i]);
    // The target's gradient is minus the sum of the others: computing 1 - softmax would round if the target is
    // almost certain.
    let others = 0;
    for (let i = 0; i < vocabulary; i++) others += i === target ? 0 : Math.exp(logits[at + i] - largest);
    const sum = others + Math.exp(logits[at + target] - largest);
    for (let i = 0; i < vocabulary; i++) {
      gLogits[at + i] = scale * (i === target ? -others : Math.exp(logits[at + i] - largest)) / sum;
    }
  }
}
