/**
 * The mixers: RWKV's time-mix and channel-mix, multi-head attention, LSTM. All are the same pure function,
 *
 *     (params, x: [B, T, C], state) -> { y: [B, T, C], state }
 *
 * and splitting a sequence at any step and carrying the state over does not change the result, unless attention is
 * given `causal: false`. Cross-attention to another sequence has no state.
 *
 * @example
 * ```ts
 * import { tensor } from "@seqmix/seqmix/core";
 * import { lstm, lstmState } from "@seqmix/seqmix/layers";
 *
 * const params = {
 *   inputWeight: tensor(new Array(16).fill(0.1), [8, 2]),
 *   hiddenWeight: tensor(new Array(16).fill(0.1), [8, 2]),
 *   bias: tensor(new Array(8).fill(0), [8]),
 * };
 * const { y } = lstm(params, tensor([1, 2, 3, 4, 5, 6], [1, 3, 2]), lstmState(params));
 * console.log(y.shape); // [ 1, 3, 2 ]
 * ```
 *
 * @module
 */
export {
  channelMix,
  channelMixInit,
  type ChannelMixParams,
  type ChannelMixSizes,
  type ChannelMixState,
  channelMixState,
} from "./channel_mix.ts";
export {
  crossAttention,
  type CrossAttentionContext,
  crossAttentionContext,
  type CrossAttentionContextOptions,
} from "./cross_attention.ts";
export { lstm, lstmInit, type LstmParams, type LstmSizes, type LstmState, lstmState } from "./lstm.ts";
export {
  multiHeadAttention,
  multiHeadAttentionInit,
  type MultiHeadAttentionOptions,
  type MultiHeadAttentionParams,
  type MultiHeadAttentionSizes,
  type MultiHeadAttentionState,
  multiHeadAttentionState,
} from "./multi_head_attention.ts";
export {
  layerNormInit,
  type LayerNormSizes,
  linearInit,
  type LinearParams,
  type LinearSizes,
} from "./operation_params.ts";
export type { RwkvBlockParams, RwkvBlockState } from "./rwkv_blocks.ts";
export {
  timeMix,
  timeMixInit,
  type TimeMixParams,
  type TimeMixSizes,
  type TimeMixState,
  timeMixState,
} from "./time_mix.ts";
