import { doubles } from "../../allocate.ts";
import type { Floats } from "../../tensor.ts";

/** The recurrence of an LSTM, given the contributions of the inputs to its gates, in the order i, f, g, o */
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

/** Backpropagates through time, from the preactivations of every step: `preactivations_t = gates_t + U h_{t-1}` */
export function lstmRecurrenceBackward(
  gPreactivations: Floats,
  gHidden: Floats,
  gCell: Floats,
  gy: Floats,
  gNextHidden: Floats,
  gNextCell: Floats,
  preactivations: Floats,
  hiddenWeight: Floats,
  cell: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  // The cells before each step, and after the last.
  const cells = doubles((time + 1) * channels);
  const gh = new Float64Array(channels), gc = new Float64Array(channels);
  const gGates = new Float64Array(4 * channels);
  for (let b = 0; b < batch; b++) {
    const state = b * channels;
    cells.set(cell.subarray(state, state + channels));
    for (let t = 0; t < time; t++) {
      const a = (b * time + t) * 4 * channels;
      for (let c = 0; c < channels; c++) {
        const input = sigmoid(preactivations[a + c]);
        const forget = sigmoid(preactivations[a + channels + c]);
        const candidate = Math.tanh(preactivations[a + 2 * channels + c]);
        cells[(t + 1) * channels + c] = forget * cells[t * channels + c] + input * candidate;
      }
    }

    gh.set(gNextHidden.subarray(state, state + channels));
    gc.set(gNextCell.subarray(state, state + channels));
    for (let t = time - 1; t >= 0; t--) {
      const row = b * time + t, a = row * 4 * channels;
      for (let c = 0; c < channels; c++) {
        const input = sigmoid(preactivations[a + c]);
        const forget = sigmoid(preactivations[a + channels + c]);
        const candidate = Math.tanh(preactivations[a + 2 * channels + c]);
        const output = sigmoid(preactivations[a + 3 * channels + c]);
        const squashed = Math.tanh(cells[(t + 1) * channels + c]);
        const g = gh[c] + gy[row * channels + c];
        gc[c] += g * output * (1 - squashed ** 2);
        gGates[c] = gc[c] * candidate * input * (1 - input);
        gGates[channels + c] = gc[c] * cells[t * channels + c] * forget * (1 - forget);
        gGates[2 * channels + c] = gc[c] * input * (1 - candidate ** 2);
        gGates[3 * channels + c] = g * squashed * output * (1 - output);
        gc[c] *= forget;
      }
      gPreactivations.set(gGates, a);
      gh.fill(0);
      for (let gate = 0; gate < 4 * channels; gate++) {
        for (let c = 0; c < channels; c++) {
          gh[c] += gGates[gate] * hiddenWeight[gate * channels + c];
        }
      }
    }
    gHidden.set(gh, state);
    gCell.set(gc, state);
  }
}
