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
  groupNorm(y, x, weight, bias, rows, channels, 1, epsilon);
}

/** The same for each of several groups of a row's channels */
export function groupNorm(
  y: Floats,
  x: Floats,
  weight: Floats,
  bias: Floats,
  rows: number,
  channels: number,
  groups: number,
  epsilon: number,
): void {
  const size = channels / groups;
  for (let at = 0; at < rows * channels; at += size) {
    const { mean, scale } = measure(x.subarray(at, at + size), epsilon), first = at % channels;
    for (let c = 0; c < size; c++) {
      y[at + c] = (x[at + c] - mean) * scale * weight[first + c] + bias[first + c];
    }
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
  groupNormBackward(gx, gWeight, gBias, gy, x, weight, rows, channels, 1, epsilon);
}

/** The same for each of several groups of a row's channels */
export function groupNormBackward(
  gx: Floats,
  gWeight: Floats,
  gBias: Floats,
  gy: Floats,
  x: Floats,
  weight: Floats,
  rows: number,
  channels: number,
  groups: number,
  epsilon: number,
): void {
  const size = channels / groups;
  const weightSums = new Float64Array(channels), biasSums = new Float64Array(channels);
  for (let at = 0; at < rows * channels; at += size) {
    const { mean, scale } = measure(x.subarray(at, at + size), epsilon), first = at % channels;
    let meanOfG = 0, meanOfGx = 0;
    for (let c = 0; c < size; c++) {
      const normalized = (x[at + c] - mean) * scale;
      weightSums[first + c] += gy[at + c] * normalized;
      biasSums[first + c] += gy[at + c];
      meanOfG += gy[at + c] * weight[first + c];
      meanOfGx += gy[at + c] * weight[first + c] * normalized;
    }
    meanOfG /= size;
    meanOfGx /= size;
    for (let c = 0; c < size; c++) {
      const normalized = (x[at + c] - mean) * scale;
      gx[at + c] = (gy[at + c] * weight[first + c] - meanOfG - normalized * meanOfGx) * scale;
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
