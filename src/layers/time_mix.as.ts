import { add, gate, mixBefore, negativeExp } from "../ops/elementwise/kernel.as";
import { linear } from "../ops/linear/kernel.as";
import { wkv } from "../ops/wkv/kernel.as";

/**
 * The layer of time_mix.ts with what goes around it, y = around + timeMix(x), but for the next `shift`. `scratch` is 5 arrays
 * of x's size and one of C.
 */
export function timeMix(
  y: usize,
  nextState: usize,
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
  around: usize,
  batch: i32,
  time: i32,
  channels: i32,
  scratch: usize,
): void {
  const rows = batch * time, size = rows * channels;
  const bytes = (<usize> size) << 2;
  const mixed = scratch, key = mixed + bytes, value = key + bytes;
  const open = value + bytes, scan = open + bytes, w = scan + bytes;
  mixBefore(mixed, x, shift, mixK, batch, time, channels);
  linear(key, mixed, keyWeight, 0, rows, channels, channels);
  mixBefore(mixed, x, shift, mixV, batch, time, channels);
  linear(value, mixed, valueWeight, 0, rows, channels, channels);
  mixBefore(mixed, x, shift, mixR, batch, time, channels);
  linear(open, mixed, receptance, 0, rows, channels, channels);
  negativeExp(w, decay, channels);
  wkv(scan, nextState, w, bonus, key, value, state, batch, time, channels);
  gate(scan, open, scan, size);
  // One row is added as a bias is.
  linear(y, scan, output, rows == 1 ? around : 0, rows, channels, channels);
  if (rows > 1) add(y, y, around, size);
}
