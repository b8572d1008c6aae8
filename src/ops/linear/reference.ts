import type { Floats } from "../../tensor.ts";

/** y = x·Wᵀ + b */
export function linear(
  y: Floats,
  x: Floats,
  weight: Floats,
  bias: Floats | null,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  for (let row = 0; row < rows; row++) {
    const at = row * inputs;
    for (let output = 0; output < outputs; output++) {
      const from = output * inputs;
      let sum = bias === null ? 0 : bias[output];
      for (let i = 0; i < inputs; i++) sum += x[at + i] * weight[from + i];
      y[row * outputs + output] = sum;
    }
  }
}

/** gx = gy·W */
export function linearBackwardInput(
  gx: Floats,
  gy: Floats,
  weight: Floats,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let output = 0; output < outputs; output++) {
        sum += gy[row * outputs + output] * weight[output * inputs + i];
      }
      gx[row * inputs + i] = sum;
    }
  }
}

/** gW = gyᵀ·x, gb = Σ gy */
export function linearBackwardWeight(
  gWeight: Floats,
  gBias: Floats | null,
  gy: Floats,
  x: Floats,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  for (let output = 0; output < outputs; output++) {
    for (let i = 0; i < inputs; i++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += gy[row * outputs + output] * x[row * inputs + i];
      gWeight[output * inputs + i] = sum;
    }
    if (gBias === null) continue;
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += gy[row * outputs + output];
    gBias[output] = sum;
  }
}
