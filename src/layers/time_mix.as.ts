import { multiply, mix, negativeExp, sigmoid } from "../ops/elementwise/kernel.as";
import { linear } from "../ops/linear/kernel.as";
import { lastStep, shiftTime } from "../ops/shift_time/kernel.as";
import { wkv } from "../ops/wkv/kernel.as";

/** The layer of time_mix.ts in one call. `scratch` is 6 arrays of x's size and one of C; elementwise kernels may overwrite. */
export function timeMix(
  y: usize,
  nextShift: usize,
  nextState: usize,
  scratch: usize,
  mixK: usize,
  mixV: usize,
  mixR: usize,
  decay: usize,
  bonus: usize,
  keyWeight: usize,
  valueWeight: usize,
  receptance: usize,
  output: usize,
  x: usize,
  shift: usize,
  state: usize,
  batch: i32,
  time: i32,
  channels: i32,
): void {
  const rows = batch * time, size = rows * channels;
  const bytes = (<usize> size) << 2;
  const before = scratch, mixed = before + bytes, key = mixed + bytes;
  const value = key + bytes, gate = value + bytes, scan = gate + bytes, w = scan + bytes;
  shiftTime(before, x, shift, batch, time, channels);
  mix(mixed, x, before, mixK, rows, channels);
  linear(key, mixed, keyWeight, 0, rows, channels, channels);
  mix(mixed, x, before, mixV, rows, channels);
  linear(value, mixed, valueWeight, 0, rows, channels, channels);
  mix(mixed, x, before, mixR, rows, channels);
  linear(gate, mixed, receptance, 0, rows, channels, channels);
  sigmoid(gate, gate, size);
  negativeExp(w, decay, channels);
  wkv(scan, nextState, w, bonus, key, value, state, batch, time, channels);
  multiply(gate, gate, scan, size);
  linear(y, gate, output, 0, rows, channels, channels);
  lastStep(nextShift, x, batch, time, channels);
}
