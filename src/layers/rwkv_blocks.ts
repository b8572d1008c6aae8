/**
 * The blocks of RWKV-4: time-mix and channel-mix, each with a normalization before it and a residual connection.
 *
 * @module
 */
import { wider } from "../check.ts";
import { add } from "../ops/elementwise/mod.ts";
import { checkLayerNorm, layerNorm, type LayerNormParams } from "../ops/layer_norm/mod.ts";
import type { Backend, Tensor } from "../tensor.ts";
import {
  channelMix,
  type ChannelMixParams,
  type ChannelMixState,
  checkChannelMixParams,
  checkChannelMixState,
} from "./channel_mix.ts";
import {
  checkTimeMixParams,
  checkTimeMixState,
  timeMix,
  type TimeMixParams,
  type TimeMixState,
} from "./time_mix.ts";

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

/** The state of a block between calls. */
export interface RwkvBlockState {
  /** See {@linkcode timeMix}. */
  readonly timeMix: TimeMixState;
  /** See {@linkcode channelMix}. */
  readonly channelMix: ChannelMixState;
}

/**
 * Blocks of RWKV-4, one after the other (BlinkDL/RWKV-LM, `RWKV-v4neo/src/model.py`, `Block`). Each is
 *
 *     z = x + timeMix(ln1(x));  y = z + channelMix(ln2(z))
 *
 * @param blocks see {@linkcode RwkvBlockParams}
 * @param x `[B, T, C]`, T at least 1
 * @param states for each block, the state that an earlier call returned, or the initial states of its two layers
 * @returns y `[B, T, C]` of the last block, and the states after the last step
 * @throws {TypeError} on other shapes, or tensors of several backends
 * @throws {RangeError} if T is 0
 */
export function rwkvBlocks(
  blocks: readonly RwkvBlockParams[],
  x: Tensor,
  states: readonly RwkvBlockState[],
): { y: Tensor; states: RwkvBlockState[] } {
  let { backend } = x;
  for (let i = 0; i < blocks.length; i++) {
    backend = wider(backend, wider(checkParams(blocks[i], x), checkState(blocks[i], x, states[i])));
  }
  return backend.scope(() => {
    const after: RwkvBlockState[] = [];
    let y = x;
    blocks.forEach((params, i) => {
      const time = timeMix(params.timeMix, layerNorm(y, params.ln1), states[i].timeMix);
      const z = add(y, time.y);
      const channel = channelMix(params.channelMix, layerNorm(z, params.ln2), states[i].channelMix);
      y = add(z, channel.y);
      after.push({ timeMix: time.state, channelMix: channel.state });
    });
    return { y, states: after };
  });
}

function checkParams(params: RwkvBlockParams, x: Tensor): Backend {
  const a = checkLayerNorm(x, params?.ln1), b = checkTimeMixParams(params?.timeMix, x);
  const c = checkLayerNorm(x, params?.ln2), d = checkChannelMixParams(params?.channelMix, x);
  return wider(wider(a, b), wider(c, d));
}

function checkState({ timeMix, channelMix }: RwkvBlockParams, x: Tensor, state: RwkvBlockState): Backend {
  return wider(
    checkTimeMixState(timeMix, x, state?.timeMix),
    checkChannelMixState(channelMix, x, state?.channelMix),
  );
}
