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

/** gx[t] = gy[t + 1] and 0 for the last step, gFirst = gy[0] */
export function shiftTimeBackward(gx: usize, gFirst: usize, gy: usize, batch: i32, time: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  const sequence = row * <usize> time;
  if (time == 0) {
    memory.fill(gFirst, 0, row * <usize> batch);
    return;
  }
  for (let b = 0; b < batch; b++, gx += sequence, gy += sequence, gFirst += row) {
    copy(gFirst, gy, channels);
    copy(gx, gy + row, (time - 1) * channels);
    memory.fill(gx + sequence - row, 0, row);
  }
}

/** gx[time - 1] = gy, and 0 before */
export function lastStepBackward(gx: usize, gy: usize, batch: i32, time: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  const sequence = row * <usize> time;
  memory.fill(gx, 0, sequence * <usize> batch);
  for (let b = 0; b < batch; b++, gx += sequence, gy += row) copy(gx + sequence - row, gy, channels);
}
