import { addGated, mixBefore, squaredRelu } from "../ops/elementwise/kernel.as";
import { linear } from "../ops/linear/kernel.as";

/**
 * The layer of channel_mix.ts with what goes around it, y = around + channelMix(x), but for the next `shift`. `scratch` is 2
 * arrays of x's size and one [B, T, F].
 */
export function channelMix(
  y: usize,
  mixK: usize,
  mixR: usize,
  keyWeight: usize,
  receptance: usize,
  valueWeight: usize,
  x: usize,
  shift: usize,
  around: usize,
  batch: i32,
  time: i32,
  channels: i32,
  features: i32,
  scratch: usize,
): void {
  const rows = batch * time, size = rows * channels;
  const bytes = (<usize> size) << 2;
  const mixed = scratch, open = mixed + bytes, key = open + bytes;
  mixBefore(mixed, x, shift, mixK, batch, time, channels);
  linear(key, mixed, keyWeight, 0, rows, channels, features);
  squaredRelu(key, key, rows * features);
  mixBefore(mixed, x, shift, mixR, batch, time, channels);
  linear(open, mixed, receptance, 0, rows, channels, channels);
  linear(mixed, key, valueWeight, 0, rows, features, channels);
  addGated(y, around, open, mixed, size);
}
