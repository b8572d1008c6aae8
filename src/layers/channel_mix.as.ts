import { mix, multiply, sigmoid, squaredRelu } from "../ops/elementwise/kernel.as";
import { linear } from "../ops/linear/kernel.as";
import { lastStep, shiftTime } from "../ops/shift_time/kernel.as";

/** The layer of channel_mix.ts in one call. `scratch` is 3 arrays of x's size and one [B, T, F]; elementwise kernels may overwrite. */
export function channelMix(
  y: usize,
  nextShift: usize,
  scratch: usize,
  mixK: usize,
  mixR: usize,
  keyWeight: usize,
  receptance: usize,
  valueWeight: usize,
  x: usize,
  shift: usize,
  batch: i32,
  time: i32,
  channels: i32,
  features: i32,
): void {
  const rows = batch * time, size = rows * channels;
  const bytes = (<usize> size) << 2;
  const before = scratch, mixed = before + bytes, gate = mixed + bytes, key = gate + bytes;
  shiftTime(before, x, shift, batch, time, channels);
  mix(mixed, x, before, mixK, rows, channels);
  linear(key, mixed, keyWeight, 0, rows, channels, features);
  squaredRelu(key, key, rows * features);
  mix(mixed, x, before, mixR, rows, channels);
  linear(gate, mixed, receptance, 0, rows, channels, channels);
  sigmoid(gate, gate, size);
  linear(mixed, key, valueWeight, 0, rows, features, channels);
  multiply(y, gate, mixed, size);
  lastStep(nextShift, x, batch, time, channels);
}
