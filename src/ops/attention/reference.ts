import { doubles } from "../../allocate.ts";
import type { Floats } from "../../tensor.ts";

/** y_i = Σ_j softmax_j(q_i·k_j / √N) v_j over the keys j that query i sees, head by head; y_i = 0 if there are none */
export function attention(
  y: Floats,
  query: Floats,
  key: Floats,
  value: Floats,
  mask: Floats | null,
  batch: number,
  queryTime: number,
  keyTime: number,
  keyCapacity: number,
  valueCapacity: number,
  maskCapacity: number,
  channels: number,
  heads: number,
  causal: number,
): void {
  const size = channels / heads, past = causal ? keyTime - queryTime : keyTime;
  const weights = doubles(keyTime);
  const output = new Float64Array(size);
  for (let b = 0; b < batch; b++) {
    const shown = mask && mask.subarray(b * maskCapacity);
    for (let i = 0; i < queryTime; i++) {
      const seen = Math.min(keyTime, past + i + 1);
      for (let head = 0; head < heads; head++) {
        const q = (b * queryTime + i) * channels + head * size;
        const k = b * keyCapacity * channels + head * size;
        const v = b * valueCapacity * channels + head * size;
        const row = query.subarray(q, q + size);
        const sum = weigh(weights.subarray(0, seen), row, key.subarray(k), channels, shown);
        output.fill(0);
        for (let j = 0; j < seen; j++) {
          if (shown !== null && shown[j] === 0) continue;
          for (let c = 0; c < size; c++) output[c] += weights[j] * value[v + j * channels + c];
        }
        // Without keys the sum is 0, and so is the output.
        for (let c = 0; c < size; c++) y[q + c] = sum === 0 ? 0 : output[c] / sum;
      }
    }
  }
}

/**
 * With d_ij = p_ij (gy_i·v_j - gy_i·y_i) / √N: gq_i = Σ_j d_ij k_j, gk_j = Σ_i d_ij q_i, gv_j = Σ_i p_ij gy_i, where
 * p_ij is 0 for keys that query i does not see
 */
export function attentionBackward(
  gQuery: Floats,
  gKey: Floats,
  gValue: Floats,
  gy: Floats,
  query: Floats,
  key: Floats,
  value: Floats,
  mask: Floats | null,
  y: Floats,
  batch: number,
  queryTime: number,
  keyTime: number,
  keyCapacity: number,
  valueCapacity: number,
  maskCapacity: number,
  channels: number,
  heads: number,
  causal: number,
): void {
  const size = channels / heads, past = causal ? keyTime - queryTime : keyTime;
  const weights = doubles(keyTime);
  const queryRow = new Float64Array(size);
  for (let b = 0; b < batch; b++) {
    const shown = mask && mask.subarray(b * maskCapacity);
    const keySums = doubles(keyTime * channels), valueSums = doubles(keyTime * channels);
    for (let i = 0; i < queryTime; i++) {
      const seen = Math.min(keyTime, past + i + 1);
      for (let head = 0; head < heads; head++) {
        const channel = head * size;
        const q = (b * queryTime + i) * channels + channel;
        const k = b * keyCapacity * channels + channel;
        const v = b * valueCapacity * channels + channel;
        const row = query.subarray(q, q + size);
        const sum = weigh(weights.subarray(0, seen), row, key.subarray(k), channels, shown);
        let mean = 0;
        for (let c = 0; c < size; c++) mean += gy[q + c] * y[q + c];
        queryRow.fill(0);
        for (let j = 0; j < seen; j++) {
          if (shown !== null && shown[j] === 0) continue;
          const weight = weights[j] / sum;
          let along = 0;
          for (let c = 0; c < size; c++) along += gy[q + c] * value[v + j * channels + c];
          const d = weight * (along - mean) / Math.sqrt(size);
          for (let c = 0; c < size; c++) {
            queryRow[c] += d * key[k + j * channels + c];
            keySums[j * channels + channel + c] += d * query[q + c];
            valueSums[j * channels + channel + c] += weight * gy[q + c];
          }
        }
        gQuery.set(queryRow, q);
      }
    }
    gKey.set(keySums, b * keyTime * channels);
    gValue.set(valueSums, b * keyTime * channels);
  }
}

/**
 * Writes the weights of the first keys, whose rows have a stride of `row` numbers, before division by their sum,
 * which it returns. Keys that are not shown are left out.
 */
function weigh(weights: Float64Array, query: Floats, key: Floats, row: number, shown: Floats | null): number {
  let largest = -Infinity;
  for (let j = 0; j < weights.length; j++) {
    if (shown !== null && shown[j] === 0) continue;
    let score = 0;
    for (let c = 0; c < query.length; c++) score += query[c] * key[j * row + c];
    weights[j] = score / Math.sqrt(query.length);
    largest = Math.max(largest, weights[j]);
  }
  let sum = 0;
  for (let j = 0; j < weights.length; j++) {
    if (shown !== null && shown[j] === 0) continue;
    sum += weights[j] = Math.exp(weights[j] - largest);
  }
  return sum;
}
