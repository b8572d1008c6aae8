import { sigmoid, tanh } from "../../backends/wasm/math.as";
import { copy, madd, read, write } from "../../backends/wasm/vectors.as";
import { dot4 } from "../linear/kernel.as";

/** The recurrence of an LSTM, given what the inputs add to its gates, in the order i, f, g, o. */
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
        const at = (<usize> c) << 2;
        const weight = hiddenWeight + <usize> c * row;
        // Four gates of one channel are four rows a quarter of the weights apart; they are turned to one gate of
        // four channels. Channels past the last repeat it.
        const c0 = dot4(weight, channels * row, 4, before, channels);
        const c1 = count > 1 ? dot4(weight + row, channels * row, 4, before, channels) : c0;
        const c2 = count > 2 ? dot4(weight + 2 * row, channels * row, 4, before, channels) : c1;
        const c3 = count > 3 ? dot4(weight + 3 * row, channels * row, 4, before, channels) : c2;
        const if01 = v128.shuffle<f32>(c0, c1, 0, 4, 1, 5), go01 = v128.shuffle<f32>(c0, c1, 2, 6, 3, 7);
        const if23 = v128.shuffle<f32>(c2, c3, 0, 4, 1, 5), go23 = v128.shuffle<f32>(c2, c3, 2, 6, 3, 7);
        const i = f32x4.add(v128.shuffle<f32>(if01, if23, 0, 1, 4, 5), read(gates + at, count));
        const f = f32x4.add(v128.shuffle<f32>(if01, if23, 2, 3, 6, 7), read(gates + row + at, count));
        const g = f32x4.add(v128.shuffle<f32>(go01, go23, 0, 1, 4, 5), read(gates + 2 * row + at, count));
        const o = f32x4.add(v128.shuffle<f32>(go01, go23, 2, 3, 6, 7), read(gates + 3 * row + at, count));
        const next = madd(sigmoid(f), read(nextCell + at, count), f32x4.mul(sigmoid(i), tanh(g)));
        write(nextCell + at, next, count);
        write(y + at, f32x4.mul(sigmoid(o), tanh(next)), count);
      }
    }
    copy(nextHidden, before, channels);
  }
}
