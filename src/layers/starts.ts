/**
 * The initial parameters of layers, to be drawn later: models draw those of all their layers from one random source,
 * in parts.
 *
 * @module
 */
import { checkInteger } from "../check.ts";
import { drawNormal, drawOrthogonal, drawUniform, filled, type Undrawn } from "../initialize.ts";
import { checkHeads } from "../ops/attention/mod.ts";
import type { RandomSource } from "../random.ts";
import type { Tensor } from "../tensor.ts";
import type { ChannelMixParams } from "./channel_mix.ts";
import type { LstmParams } from "./lstm.ts";
import type { MultiHeadAttentionParams } from "./multi_head_attention.ts";
import type { TimeMixParams, TimeMixSizes } from "./time_mix.ts";

/** The initial weight of a linear layer. */
export function linearStart(random: RandomSource, inputs: number, outputs: number): Undrawn<Tensor> {
  return () => drawUniform(random, [outputs, inputs], 1 / Math.sqrt(inputs));
}

/** The initial parameters of an LSTM layer. */
export function lstmStart(random: RandomSource, inputs: number, channels: number): Undrawn<LstmParams> {
  const bound = 1 / Math.sqrt(channels);
  return {
    inputWeight: () => drawUniform(random, [4 * channels, inputs], bound),
    hiddenWeight: () => drawUniform(random, [4 * channels, channels], bound),
    bias: filled([4 * channels], (gate) => gate >= channels && gate < 2 * channels ? 1 : 0),
  };
}

/** The initial parameters of a time-mix. */
export function timeMixStart(
  random: RandomSource,
  C: number,
  layer: number,
  layers: number,
): Undrawn<TimeMixParams> {
  const r = layer / Math.max(1, layers - 1), s = 1 - layer / layers;
  const zero = () => filled([C, C], () => 0);
  return {
    mixK: filled([C], (i) => (i / C) ** s),
    mixV: filled([C], (i) => (i / C) ** s + 0.3 * r),
    mixR: filled([C], (i) => (i / C) ** (0.5 * s)),
    decay: filled([C], (i) => -5 + 8 * (i / Math.max(1, C - 1)) ** (0.7 + 1.3 * r)),
    bonus: filled([C], (i) => Math.log(0.3) + 0.5 * ((i + 1) % 3 - 1)),
    key: zero(),
    value: () => drawOrthogonal(random, C, C, 1),
    receptance: zero(),
    output: zero(),
  };
}

/** The initial parameters of a channel-mix. */
export function channelMixStart(
  random: RandomSource,
  C: number,
  F: number,
  layer: number,
  layers: number,
): Undrawn<ChannelMixParams> {
  const share = () => filled([C], (i) => (i / C) ** (1 - layer / layers));
  return {
    mixK: share(),
    mixR: share(),
    key: () => drawOrthogonal(random, F, C, F > C ? Math.sqrt(F / C) : 1),
    receptance: filled([C, C], () => 0),
    value: filled([C, F], () => 0),
  };
}

/** The place of a layer in a model, checked. */
export function checkPlace(
  action: string,
  { layer = 0, layers = 1 }: Pick<TimeMixSizes, "layer" | "layers">,
): [layer: number, layers: number] {
  checkInteger(action, "sizes.layers", layers, 1);
  checkInteger(action, "sizes.layer", layer, 0, layers - 1);
  return [layer, layers];
}

/** The initial parameters of multi-head attention. */
export function multiHeadAttentionStart(
  random: RandomSource,
  channels: number,
  heads: number,
  layers: number,
  rotaryBase?: number,
): Undrawn<MultiHeadAttentionParams> {
  const weight = (deviation: number) => () => drawNormal(random, [channels, channels], deviation);
  return {
    heads,
    query: weight(0.02),
    key: weight(0.02),
    value: weight(0.02),
    output: weight(0.02 / Math.sqrt(2 * layers)),
    ...rotaryBase === undefined ? {} : { rotaryBase },
  };
}

/** Checks that heads divide the channels into even sizes, as rotary positions require. */
export function checkRotaryHeads(action: string, heads: number, channels: number): void {
  checkHeads(action, heads, channels);
  if (channels / heads % 2 !== 0) {
    throw new RangeError(
      `Cannot ${action}: head size must be even, current channels/heads is ${channels / heads}`,
    );
  }
}
