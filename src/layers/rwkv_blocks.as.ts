import { layerNorm } from "../ops/layer_norm/kernel.as";
import { lastStep } from "../ops/shift_time/kernel.as";
import { channelMix } from "./channel_mix.as";
import { timeMix } from "./time_mix.as";

/**
 * The blocks of rwkv_blocks.ts in one call. What has as many parts as there are blocks comes as a table: the addresses of
 * 18 weights each, of 3 states, of 3 next states, and the numbers of features. `scratch` is 2 arrays of x's size and what
 * the larger of the layers takes.
 */
export function rwkvBlocks(
  y: usize,
  table: usize,
  blocks: i32,
  x: usize,
  batch: i32,
  time: i32,
  channels: i32,
  epsilon: f64,
  scratch: usize,
): void {
  let states = table + 72 * <usize> blocks, nextStates = states + 12 * <usize> blocks;
  let features = nextStates + 12 * <usize> blocks;
  for (; blocks > 0; blocks--, table += 72, states += 12, nextStates += 12, features += 4) {
    rwkvBlock(
      y,
      load<u32>(nextStates),
      load<u32>(nextStates, 4),
      load<u32>(nextStates, 8),
      load<u32>(table),
      load<u32>(table, 4),
      load<u32>(table, 8),
      load<u32>(table, 12),
      load<u32>(table, 16),
      load<u32>(table, 20),
      load<u32>(table, 24),
      load<u32>(table, 28),
      load<u32>(table, 32),
      load<u32>(table, 36),
      load<u32>(table, 40),
      load<u32>(table, 44),
      load<u32>(table, 48),
      load<u32>(table, 52),
      load<u32>(table, 56),
      load<u32>(table, 60),
      load<u32>(table, 64),
      load<u32>(table, 68),
      x,
      load<u32>(states),
      load<u32>(states, 4),
      load<u32>(states, 8),
      batch,
      time,
      channels,
      load<i32>(features),
      epsilon,
        scratch,
    );
    // From the second on, a block writes over what it reads.
    x = y;
  }
}

/** One of them. y may be x: it is written last. Elementwise kernels may overwrite what they read. */
function rwkvBlock(
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
