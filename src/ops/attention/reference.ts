import type { Floats } from "../../tensor.ts";

/** y_i = Σ_j softmax_j(q_i·k_j / √N) v_j over the keys j up to the query's own, head by head */
export function attention(
  y: Floats,
  query: Floats,
  key: Floats,
  value: Floats,
  batch: number,
  queryTime: number,
  keyTime: number,
  keyCapacity: number,
  valueCapacity: number,
  channels: number,
  heads: number,
): void {
  const size = channels / heads;
  const weights = new Float64Array(keyTime);
  const output = new Float64Array(size);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queryTime; i++) {
      const seen = keyTime - queryTime + i + 1;
      for (let head = 0; head < heads; head++) {
        const q = (b * queryTime + i) * channels + head * size;
        const k = b * keyCapacity * channels + head * size;
        const v = b * valueCapacity * channels + head * size;
        let largest = -Infinity;
        for (let j = 0; j < seen; j++) {
          let score = 0;
          for (let c = 0; c < size; c++) score += query[q + c] * key[k + j * channels + c];
          weights[j] = score / Math.sqrt(size);
          largest = Math.max(largest, weights[j]);
        }
        let sum = 0;
        output.fill(0);
        for (let j = 0; j < seen; j++) {
          const weight = Math.exp(weights[j] - largest);
          sum += weight;
          for (let c = 0; c < size; c++) output[c] += weight * value[v + j * channels + c];
        }
        for (let c = 0; c < size; c++) y[q + c] = output[c] / sum;
      }
    }
  }
}
