import { sigmoid, tanh } from "../../backends/wasm/math.as";
import { copy, madd, read, write } from "../../backends/wasm/vectors.as";
import { dot4 } from "../linear/kernel.as";

/** The recurrence of an LSTM, given what the inputs add to its gates, in the order i, f, g, o; four channels at a time. */
export function lstmRecurrence(
  y: usize,
  nextHidden: usize,
  nextCell: usize,
  gates: usize,
  hiddenWeight: usize,
  hidden: usize,
  cell: usize,
  batch: i32,
  time: i32,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  copy(nextCell, cell, batch * channels);
  for (let b = 0; b < batch; b++, hidden += row, nextHidden += row, nextCell += row) {
    let before = hidden;
    for (let t = 0; t < time; t++, before = y, y += row, gates += 4 * row) {
      for (let c = 0; c < channels; c += 4) {
        const count = min(channels - c, 4);
        const input = sigmoid(gate(gates, hiddenWeight, before, 0, c, count, channels));
        const forget = sigmoid(gate(gates, hiddenWeight, before, 1, c, count, channels));
        const candidate = tanh(gate(gates, hiddenWeight, before, 2, c, count, channels));
        const output = sigmoid(gate(gates, hiddenWeight, before, 3, c, count, channels));
        const at = (<usize> c) << 2;
        const next = madd(forget, read(nextCell + at, count), f32x4.mul(input, candidate));
        write(nextCell + at, next, count);
        write(y + at, f32x4.mul(output, tanh(next)), count);
      }
    }
    copy(nextHidden, before, channels);
  }
}

/** What goes into one gate of up to four channels from `c` on. */
function gate(gates: usize, weight: usize, hidden: usize, index: i32, c: i32, count: i32, channels: i32): v128 {
  const row = (<usize> channels) << 2;
  const first = <usize> (index * channels + c);
  const sums = dot4(weight + first * row, row, count, hidden, channels);
  return f32x4.add(sums, read(gates + (first << 2), count));
}
