/**
 * A block of RWKV-4: time-mix and channel-mix, each with its normalization before it and a way around it.
 *
 * @module
 */
import { wider } from "../check.ts";
import { add } from "../ops/elementwise/mod.ts";
import { checkLayerNorm, epsilon, layerNorm, type LayerNormParams } from "../ops/layer_norm/mod.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { channelMix, type ChannelMixParams, type ChannelMixState, checkChannelMix } from "./channel_mix.ts";
import { checkTimeMix, timeMix, type TimeMixParams, type TimeMixState } from "./time_mix.ts";

/** One block of an RWKV model. */
export interface RwkvBlockParams {
  /** Before the time-mix. */
  readonly ln1: LayerNormParams;
  /** See {@linkcode timeMix}. */
  readonly timeMix: TimeMixParams;
  /** Before the channel-mix. */
  readonly ln2: LayerNormParams;
  /** See {@linkcode channelMix}. */
  readonly channelMix: ChannelMixParams;
}

/** What a block keeps between calls. */
export interface RwkvBlockState {
  /** See {@linkcode timeMix}. */
  readonly timeMix: TimeMixState;
  /** See {@linkcode channelMix}. */
  readonly channelMix: ChannelMixState;
}

/**
 * A block of RWKV-4 (BlinkDL/RWKV-LM, `RWKV-v4neo/src/model.py`, `Block`):
 *
 *     z = x + timeMix(ln1(x));  y = z + channelMix(ln2(z))
 *
 * @param params see {@linkcode RwkvBlockParams}
 * @param x `[B, T, C]`, T at least 1
 * @param state what an earlier call returned, or the initial states of the two layers
 * @returns y `[B, T, C]` and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of two backends
 * @throws {RangeError} if T is 0
 */
export function rwkvBlock(
  params: RwkvBlockParams,
  x: Tensor,
  state: RwkvBlockState,
): { y: Tensor; state: RwkvBlockState } {
  const backend = check(params, x, state);
  if (backend.rwkvBlock !== undefined) {
    const { ln1, timeMix: time, ln2, channelMix: channel } = params;
    const [y, timeShift, wkv, channelShift] = backend.rwkvBlock(
      ln1.weight,
      ln1.bias,
      time.mixK,
      time.mixV,
      time.mixR,
      time.decay,
      time.bonus,
      time.key,
      time.value,
      time.receptance,
      time.output,
      ln2.weight,
      ln2.bias,
      channel.mixK,
      channel.mixR,
      channel.key,
      channel.receptance,
      channel.value,
      x,
      state.timeMix.shift,
      state.timeMix.wkv,
      state.channelMix.shift,
      epsilon,
    );
    return { y, state: { timeMix: { shift: timeShift, wkv }, channelMix: { shift: channelShift } } };
  }
  return backend.scope(() => {
    const time = timeMix(params.timeMix, layerNorm(params.ln1, x), state.timeMix);
    const z = add(x, time.y);
    const channel = channelMix(params.channelMix, layerNorm(params.ln2, z), state.channelMix);
    return { y: add(z, channel.y), state: { timeMix: time.state, channelMix: channel.state } };
  });
}

function check(params: RwkvBlockParams, x: Tensor, state: RwkvBlockState): Backend {
  const a = checkLayerNorm(params.ln1, x);
  const b = checkTimeMix(params.timeMix, x, state?.timeMix);
  const c = checkLayerNorm(params.ln2, x);
  const d = checkChannelMix(params.channelMix, x, state?.channelMix);
  return wider(wider(a, b), wider(c, d));
}
