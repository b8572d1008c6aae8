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
