/**
 * The blocks of RWKV-4: time-mix and channel-mix, each with its normalization before it and a way around it.
 *
 * @module
 */
import { wider } from "../check.ts";
import { engineOf, type RwkvStack } from "../engine.ts";
import { add } from "../ops/elementwise/mod.ts";
import { checkLayerNorm, epsilon, layerNorm, type LayerNormParams } from "../ops/layer_norm/mod.ts";
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
  const weights = weightsOf(blocks);
  let stack = engineOf(x.backend).rwkvStacks?.find(weights);
  let backend = x.backend;
  for (let i = 0; i < blocks.length; i++) {
    if (stack === undefined) backend = wider(backend, checkParams(blocks[i], x));
    backend = wider(backend, checkState(blocks[i], x, states[i]));
  }
  // Where some of the tensors are recorded, so are the operations.
  if (backend !== x.backend || blocks.length === 0) stack = undefined;
  else stack ??= engineOf(backend).rwkvStacks?.prepare(weights);
  return stack === undefined ? backend.scope(() => inParts(blocks, x, states)) : inOneCall(stack, x, states);
}

function inParts(
  blocks: readonly RwkvBlockParams[],
  x: Tensor,
  states: readonly RwkvBlockState[],
): { y: Tensor; states: RwkvBlockState[] } {
  const after: RwkvBlockState[] = [];
  blocks.forEach((params, i) => {
    const time = timeMix(params.timeMix, layerNorm(params.ln1, x), states[i].timeMix);
    const z = add(x, time.y);
    const channel = channelMix(params.channelMix, layerNorm(params.ln2, z), states[i].channelMix);
    x = add(z, channel.y);
    after.push({ timeMix: time.state, channelMix: channel.state });
  });
  return { y: x, states: after };
}

function inOneCall(
  stack: RwkvStack,
  x: Tensor,
  states: readonly RwkvBlockState[],
): { y: Tensor; states: RwkvBlockState[] } {
  const before: Tensor[] = [];
  for (const { timeMix, channelMix } of states) before.push(timeMix.shift, timeMix.wkv, channelMix.shift);
  const [y, next] = stack(x, before, epsilon);
  const after: RwkvBlockState[] = [];
  for (let i = 0; i < next.length; i += 3) {
    after.push({ timeMix: { shift: next[i], wkv: next[i + 1] }, channelMix: { shift: next[i + 2] } });
  }
  return { y, states: after };
}

/** Of each block its 18 weights, in the order in which they are documented. */
function weightsOf(blocks: readonly RwkvBlockParams[]): Tensor[] {
  const weights: Tensor[] = [];
  for (const { ln1, timeMix: time, ln2, channelMix: channel } of blocks) {
    weights.push(ln1.weight, ln1.bias, time.mixK, time.mixV, time.mixR, time.decay, time.bonus);
    weights.push(time.key, time.value, time.receptance, time.output, ln2.weight, ln2.bias);
    weights.push(channel.mixK, channel.mixR, channel.key, channel.receptance, channel.value);
  }
  return weights;
}

function checkParams({ ln1, timeMix, ln2, channelMix }: RwkvBlockParams, x: Tensor): Backend {
  const a = checkLayerNorm(ln1, x), b = checkTimeMixParams(timeMix, x);
  const c = checkLayerNorm(ln2, x), d = checkChannelMixParams(channelMix, x);
  return wider(wider(a, b), wider(c, d));
}

function checkState({ timeMix, channelMix }: RwkvBlockParams, x: Tensor, state: RwkvBlockState): Backend {
  return wider(
    checkTimeMixState(timeMix, x, state?.timeMix),
    checkChannelMixState(channelMix, x, state?.channelMix),
  );
}
