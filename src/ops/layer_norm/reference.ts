import type { Floats } from "../../tensor.ts";

/** y = (x - mean) / √(variance + ε) · weight + bias, row by row */
export function layerNorm(
  y: Floats,
  x: Floats,
  weight: Floats,
  bias: Floats,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  for (let at = 0; at < rows * channels; at += channels) {
    const { mean, scale } = measure(x.subarray(at, at + channels), epsilon);
    for (let c = 0; c < channels; c++) y[at + c] = (x[at + c] - mean) * scale * weight[c] + bias[c];
  }
}

/** With x̂ the normalized row and g = gy·weight: gx = (g - mean g - x̂ mean(g·x̂)) / √(variance + ε) */
export function layerNormBackward(
  gx: Floats,
  gWeight: Floats,
  gBias: Floats,
  gy: Floats,
  x: Floats,
  weight: Floats,
  rows: number,
  channels: number,
  epsilon: number,
): void {
  const weightSums = new Float64Array(channels), biasSums = new Float64Array(channels);
  for (let at = 0; at < rows * channels; at += channels) {
    const { mean, scale } = measure(x.subarray(at, at + channels), epsilon);
    let meanOfG = 0, meanOfGx = 0;
    for (let c = 0; c < channels; c++) {
      const normalized = (x[at + c] - mean) * scale;
      weightSums[c] += gy[at + c] * normalized;
      biasSums[c] += gy[at + c];
      meanOfG += gy[at + c] * weight[c];
      meanOfGx += gy[at + c] * weight[c] * normalized;
    }
    meanOfG /= channels;
    meanOfGx /= channels;
    for (let c = 0; c < channels; c++) {
      const normalized = (x[at + c] - mean) * scale;
      gx[at + c] = (gy[at + c] * weight[c] - meanOfG - normalized * meanOfGx) * scale;
    }
  }
  gWeight.set(weightSums);
  gBias.set(biasSums);
}

/** The mean of a row, and 1 / √(variance + ε). */
function measure(row: Floats, epsilon: number): { mean: number; scale: number } {
  let mean = 0;
  for (let c = 0; c < row.length; c++) mean += row[c];
  mean /= row.length;
  // Correct the rounding of the mean: differences of large equal numbers from their mean are then 0.
  let left = 0;
  for (let c = 0; c < row.length; c++) left += row[c] - mean;
  mean += left / row.length;
  let variance = 0;
  for (let c = 0; c < row.length; c++) variance += (row[c] - mean) ** 2;
  variance /= row.length;
  return { mean, scale: 1 / Math.sqrt(variance + epsilon) };
}
