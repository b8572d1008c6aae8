/**
 * The blocks of RWKV-4: time-mix and channel-mix, each with its normalization before it and a way around it.
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
 * Blocks of RWKV-4, one after the other (BlinkDL/RWKV-LM, `RWKV-v4neo/src/model.py`, `Block`). Each is
 *
 *     z = x + timeMix(ln1(x));  y = z + channelMix(ln2(z))
 *
 * @param blocks see {@linkcode RwkvBlockParams}
 * @param x `[B, T, C]`, T at least 1
 * @param states of each block, what an earlier call returned, or the initial states of its two layers
 * @returns y `[B, T, C]` of the last block, and the states after the last step
 * @throws {TypeError} on other shapes, or tensors of two backends
 * @throws {RangeError} if T is 0
 */
export function rwkvBlocks(
  blocks: readonly RwkvBlockParams[],
  x: Tensor,
  states: readonly RwkvBlockState[],
): { y: Tensor; states: RwkvBlockState[] } {
  let backend = x.backend;
  for (let i = 0; i < blocks.length; i++) backend = wider(backend, check(blocks[i], x, states[i]));
  if (backend.rwkvBlocks !== undefined && blocks.length > 0) return inOneCall(backend, blocks, x, states);
  return backend.scope(() => {
    let y = x;
    const after = blocks.map((block, i) => {
      const next = rwkvBlock(block, y, states[i]);
      y = next.y;
      return next.state;
    });
    return { y, states: after };
  });
}

function rwkvBlock(
  params: RwkvBlockParams,
  x: Tensor,
  state: RwkvBlockState,
): { y: Tensor; state: RwkvBlockState } {
  const time = timeMix(params.timeMix, layerNorm(params.ln1, x), state.timeMix);
  const z = add(x, time.y);
  const channel = channelMix(params.channelMix, layerNorm(params.ln2, z), state.channelMix);
  return { y: add(z, channel.y), state: { timeMix: time.state, channelMix: channel.state } };
}

function inOneCall(
  backend: Backend,
  blocks: readonly RwkvBlockParams[],
  x: Tensor,
  states: readonly RwkvBlockState[],
): { y: Tensor; states: RwkvBlockState[] } {
  const weights: Tensor[] = [], before: Tensor[] = [];
  for (let i = 0; i < blocks.length; i++) {
    const { ln1, timeMix: time, ln2, channelMix: channel } = blocks[i];
    weights.push(ln1.weight, ln1.bias, time.mixK, time.mixV, time.mixR, time.decay, time.bonus);
    weights.push(time.key, time.value, time.receptance, time.output, ln2.weight, ln2.bias);
    weights.push(channel.mixK, channel.mixR, channel.key, channel.receptance, channel.value);
    before.push(states[i].timeMix.shift, states[i].timeMix.wkv, states[i].channelMix.shift);
  }
  const [y, after] = backend.rwkvBlocks!(weights, x, before, epsilon);
  return {
    y,
    states: blocks.map((_, i) => ({
      timeMix: { shift: after[3 * i], wkv: after[3 * i + 1] },
      channelMix: { shift: after[3 * i + 2] },
    })),
  };
}

function check(params: RwkvBlockParams, x: Tensor, state: RwkvBlockState): Backend {
  const a = checkLayerNorm(params.ln1, x);
  const b = checkTimeMix(params.timeMix, x, state?.timeMix);
  const c = checkLayerNorm(params.ln2, x);
  const d = checkChannelMix(params.channelMix, x, state?.channelMix);
  return wider(wider(a, b), wider(c, d));
}
