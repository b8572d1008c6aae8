/**
 * RWKV-4's channel-mix: its feed-forward layer, whose input is mixed with the previous step.
 *
 * @module
 */
import { checkInteger, checkShape, sharedBackend, wider } from "../check.ts";
import { checkConfig, drawn } from "../initialize.ts";
import { mix, multiply, sigmoid, squaredRelu } from "../ops/elementwise/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import { lastStep, shiftTime } from "../ops/shift_time/mod.ts";
import { randomSource } from "../random.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { zeros } from "../transfer.ts";
import { channelMixStart, checkPlace } from "./starts.ts";

const action = "mix channels";

/** The parameters of {@linkcode channelMix}. */
export interface ChannelMixParams {
  /** `[C]`, the share of the current step in the input of the keys. */
  readonly mixK: Tensor;
  /** `[C]`, the share of the current step in the input of the gate. */
  readonly mixR: Tensor;
  /** `[F, C]` */
  readonly key: Tensor;
  /** `[C, C]` */
  readonly receptance: Tensor;
  /** `[C, F]` */
  readonly value: Tensor;
}

/** The state of {@linkcode channelMix} between calls. */
export interface ChannelMixState {
  /** `[B, C]`, the last step's input. */
  readonly shift: Tensor;
}

/**
 * RWKV-4's channel-mix (Peng et al.: "RWKV: Reinventing RNNs for the Transformer Era", 2023, equations 16 to 18):
 * with x' the mix of each step and the one before it,
 *
 *     y = σ(R x'_r) · V max(K x'_k, 0)²
 *
 * @param params see {@linkcode ChannelMixParams}
 * @param x `[B, T, C]`, T at least 1
 * @param state the state that an earlier call returned, or {@linkcode channelMixState}
 * @returns y `[B, T, C]` and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of several backends
 * @throws {RangeError} if T is 0
 *
 * @example
 * ```ts
 * import { channelMix, channelMixState, presets, rwkv, tensor } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1).blocks[0].channelMix;
 * const x = tensor(new Float32Array(2 * 3 * 32).fill(1), [2, 3, 32]);
 * const { y, state } = channelMix(params, x, channelMixState(params, 2));
 * console.log(y.shape, state.shift.shape); // [ 2, 3, 32 ] [ 2, 32 ]
 * ```
 */
export function channelMix(
  params: ChannelMixParams,
  x: Tensor,
  state: ChannelMixState,
): { y: Tensor; state: ChannelMixState } {
  return checkChannelMix(params, x, state).scope(() => {
    const before = shiftTime(x, state.shift);
    const key = squaredRelu(linear(mix(x, before, params.mixK), params.key));
    const gate = sigmoid(linear(mix(x, before, params.mixR), params.receptance));
    return { y: multiply(gate, linear(key, params.value)), state: { shift: lastStep(x) } };
  });
}

/** Checks the arguments of {@linkcode channelMix}; returns the backend on which it runs. */
function checkChannelMix(params: ChannelMixParams, x: Tensor, state: ChannelMixState): Backend {
  return wider(checkChannelMixParams(params, x), checkChannelMixState(params, x, state));
}

/** Checks the parameters of {@linkcode channelMix}; returns the backend for them and x. */
export function checkChannelMixParams(params: ChannelMixParams, x: Tensor): Backend {
  checkShape(action, "params.mixK", params?.mixK, "C");
  const [channels] = params.mixK.shape;
  checkShape(action, "params.key", params.key, "F", channels);
  const [features] = params.key.shape;
  checkShape(action, "params.mixR", params.mixR, channels);
  checkShape(action, "params.receptance", params.receptance, channels, channels);
  checkShape(action, "params.value", params.value, channels, features);
  checkShape(action, "x", x, "B", "T", channels);
  const { mixK, mixR, key, receptance, value } = params;
  const names = "x, params.mixK, params.mixR, params.key, params.receptance";
  const a = sharedBackend(action, names, x, mixK, mixR, key, receptance);
  return wider(a, sharedBackend(action, "x, params.value", x, value));
}

/**
 * Checks the other arguments of {@linkcode channelMix}, given checked parameters; returns the backend for x and the
 * state.
 */
export function checkChannelMixState({ mixK }: ChannelMixParams, x: Tensor, state: ChannelMixState): Backend {
  const [channels] = mixK.shape;
  checkShape(action, "x", x, "B", "T", channels);
  checkInteger(action, "T", x.shape[1], 1);
  checkShape(action, "state.shift", state?.shift, x.shape[0], channels);
  return sharedBackend(action, "x, state.shift", x, state.shift);
}

/**
 * The state of {@linkcode channelMix} before the first token: zeros.
 *
 * @param params the layer's parameters; the state lives on their backend
 * @param batch B, default 1
 * @returns a state
 * @throws {TypeError} if params are not those of the layer
 * @throws {RangeError} if batch is not an integer of at least 1, or memory is exhausted
 *
 * @example
 * ```ts
 * import { channelMixState, presets, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1).blocks[0].channelMix;
 * console.log(channelMixState(params, 2).shift.shape); // [ 2, 32 ]
 * ```
 */
export function channelMixState(params: ChannelMixParams, batch = 1): ChannelMixState {
  const action = "make channel-mix state";
  checkInteger(action, "batch", batch, 1);
  checkShape(action, "params.mixK", params?.mixK, "C");
  return { shift: zeros([batch, params.mixK.shape[0]], params.mixK.backend) };
}

/** The sizes of a channel-mix, and its place in a model. */
export interface ChannelMixSizes {
  /** C */
  readonly channels: number;
  /** F, officially 4C. */
  readonly feedForward: number;
  /** The index of its block, from 0; default 0. */
  readonly layer?: number | undefined;
  /** The number of blocks; default 1. */
  readonly layers?: number | undefined;
}

/**
 * The parameters that {@linkcode channelMix} starts training with (BlinkDL/RWKV-LM, `RWKV-v4neo/src/model.py`), as in
 * `rwkv`: for channel i of C, `mixK = mixR = (i/C)^(1 - layer / layers)`; the keys an orthogonal matrix, times √(F/C)
 * where that is above 1; the other matrices 0.
 *
 * @param sizes `channels`, `feedForward`, and `layer` of `layers`
 * @param seed an integer from 0 to 2⁵³ - 1
 * @returns parameters on the reference; `put` moves them
 * @throws {TypeError} if a size is not a number, or not known
 * @throws {RangeError} if a size or the seed is out of range, or memory is exhausted
 *
 * @example
 * ```ts
 * import { channelMixInit } from "@seqmix/seqmix";
 *
 * console.log(channelMixInit({ channels: 32, feedForward: 128 }, 1).key.shape); // [ 128, 32 ]
 * ```
 */
export function channelMixInit(sizes: ChannelMixSizes, seed: number): ChannelMixParams {
  const action = "initialize channel-mix";
  checkConfig(action, sizes, ["channels", "feedForward"], ["layer", "layers"], "sizes");
  const { channels, feedForward } = sizes, [layer, layers] = checkPlace(action, sizes);
  return drawn<ChannelMixParams>(() =>
    channelMixStart(randomSource(seed), channels, feedForward, layer, layers)
  );
}
