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
