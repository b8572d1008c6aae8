import type { Floats } from "../../tensor.ts";

/** y[t] = x[t - 1], and y[0] = first */
export function shiftTime(
  y: Floats,
  x: Floats,
  first: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  const sequence = time * channels;
  if (sequence === 0) return;
  for (let b = 0; b < batch; b++) {
    const at = b * sequence;
    y.set(first.subarray(b * channels, (b + 1) * channels), at);
    y.set(x.subarray(at, at + sequence - channels), at + channels);
  }
}

/** y = x[time - 1] */
export function lastStep(y: Floats, x: Floats, batch: number, time: number, channels: number): void {
  for (let b = 0; b < batch; b++) {
    const end = (b + 1) * time * channels;
    y.set(x.subarray(end - channels, end), b * channels);
  }
}

/** gx[t] = gy[t + 1] and 0 for the last step, gFirst = gy[0] */
export function shiftTimeBackward(
  gx: Floats,
  gFirst: Floats,
  gy: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  const sequence = time * channels;
  if (sequence === 0) gFirst.fill(0, 0, batch * channels);
  if (sequence === 0) return;
  for (let b = 0; b < batch; b++) {
    const at = b * sequence;
    gFirst.set(gy.subarray(at, at + channels), b * channels);
    gx.set(gy.subarray(at + channels, at + sequence), at);
    gx.fill(0, at + sequence - channels, at + sequence);
  }
}

/** gx[time - 1] = gy, and 0 before */
export function lastStepBackward(
  gx: Floats,
  gy: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  gx.fill(0, 0, batch * time * channels);
  for (let b = 0; b < batch; b++) {
    gx.set(gy.subarray(b * channels, (b + 1) * channels), ((b + 1) * time - 1) * channels);
  }
}
