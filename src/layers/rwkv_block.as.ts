import { layerNorm } from "../ops/layer_norm/kernel.as";
import { lastStep } from "../ops/shift_time/kernel.as";
import { channelMix } from "./channel_mix.as";
import { timeMix } from "./time_mix.as";

/**
 * The block of rwkv_block.ts in one call. `scratch` is 2 arrays of x's size and what the larger of the layers takes;
 * elementwise kernels may overwrite what they read.
 */
export function rwkvBlock(
  y: usize,
  nextTimeShift: usize,
  nextWkv: usize,
  nextChannelShift: usize,
  ln1Weight: usize,
  ln1Bias: usize,
  timeMixK: usize,
  timeMixV: usize,
  timeMixR: usize,
  decay: usize,
  bonus: usize,
  timeKey: usize,
  timeValue: usize,
  timeReceptance: usize,
  output: usize,
  ln2Weight: usize,
  ln2Bias: usize,
  channelMixK: usize,
  channelMixR: usize,
  channelKey: usize,
  channelReceptance: usize,
  channelValue: usize,
  x: usize,
  timeShift: usize,
  wkv: usize,
  channelShift: usize,
  batch: i32,
  time: i32,
  channels: i32,
  features: i32,
  epsilon: f64,
  scratch: usize,
): void {
  const rows = batch * time;
  const bytes = (<usize> (rows * channels)) << 2;
  const z = scratch, inner = z + 2 * bytes;

  // A single step's normalized row is the next state itself.
  let normal = time == 1 ? nextTimeShift : z + bytes;
  layerNorm(normal, x, ln1Weight, ln1Bias, rows, channels, epsilon);
  timeMix(
    z,
    nextWkv,
    timeMixK,
    timeMixV,
    timeMixR,
    decay,
    bonus,
    timeKey,
    timeValue,
    timeReceptance,
    output,
    normal,
    timeShift,
    wkv,
    x,
    batch,
    time,
    channels,
    inner,
  );
  if (time > 1) lastStep(nextTimeShift, normal, batch, time, channels);

  normal = time == 1 ? nextChannelShift : z + bytes;
  layerNorm(normal, z, ln2Weight, ln2Bias, rows, channels, epsilon);
  channelMix(
    y,
    channelMixK,
    channelMixR,
    channelKey,
    channelReceptance,
    channelValue,
    normal,
    channelShift,
    z,
    batch,
    time,
    channels,
    features,
    inner,
  );
  if (time > 1) lastStep(nextChannelShift, normal, batch, time, channels);
}
