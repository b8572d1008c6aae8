import { copy } from "../../backends/wasm/vectors.as";

/** y[t] = x[t - 1], and y[0] = first */
export function shiftTime(y: usize, x: usize, first: usize, batch: i32, time: i32, channels: i32): void {
  if (time == 0) return;
  const row = (<usize> channels) << 2;
  const sequence = row * <usize> time;
  for (let b = 0; b < batch; b++, y += sequence, x += sequence, first += row) {
    copy(y, first, channels);
    copy(y + row, x, (time - 1) * channels);
  }
}

/** y = x[time - 1] */
export function lastStep(y: usize, x: usize, batch: i32, time: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  const sequence = row * <usize> time;
  for (let b = 0; b < batch; b++, y += row, x += sequence) copy(y, x + sequence - row, channels);
}
