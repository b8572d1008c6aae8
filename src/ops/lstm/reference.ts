import type { Floats } from "../../tensor.ts";

/** The recurrence of an LSTM, given what the inputs add to its gates, in the order i, f, g, o */
export function lstmRecurrence(
  y: Floats,
  nextHidden: Floats,
  nextCell: Floats,
  gates: Floats,
  hiddenWeight: Floats,
  hidden: Floats,
  cell: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  nextHidden.set(hidden.subarray(0, batch * channels));
  nextCell.set(cell.subarray(0, batch * channels));
  const sums = new Float64Array(4 * channels);
  for (let b = 0; b < batch; b++) {
    const at = b * channels;
    for (let t = 0; t < time; t++) {
      const row = b * time + t;
      for (let gate = 0; gate < 4 * channels; gate++) {
        let sum = gates[row * 4 * channels + gate];
        for (let c = 0; c < channels; c++) sum += hiddenWeight[gate * channels + c] * nextHidden[at + c];
        sums[gate] = sum;
      }
      for (let c = 0; c < channels; c++) {
        const input = sigmoid(sums[c]);
        const forget = sigmoid(sums[channels + c]);
        const candidate = Math.tanh(sums[2 * channels + c]);
        const output = sigmoid(sums[3 * channels + c]);
        const next = forget * nextCell[at + c] + input * candidate;
        nextCell[at + c] = next;
        nextHidden[at + c] = output * Math.tanh(next);
        y[row * channels + c] = nextHidden[at + c];
      }
    }
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
