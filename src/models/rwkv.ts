/**
 * RWKV-4 as a language model.
 *
 * @module
 */
import { checkConfig, drawOrthogonal, drawUniform, initFrom } from "../initialize.ts";
import { channelMixState } from "../layers/channel_mix.ts";
import { layerNormInit } from "../layers/operation_params.ts";
import { type RwkvBlockParams, rwkvBlocks, type RwkvBlockState } from "../layers/rwkv_blocks.ts";
import { channelMixStart, timeMixStart } from "../layers/starts.ts";
import { timeMixState } from "../layers/time_mix.ts";
import { layerNorm, type LayerNormParams } from "../ops/layer_norm/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import { randomSource } from "../random.ts";
import type { Tensor } from "../tensor.ts";
import {
  checkDepth,
  forwardWith,
  initialStateWith,
  type LanguageModel,
  recurrent,
} from "./language_model.ts";

const action = "run RWKV";

/** The sizes of an RWKV model. */
export interface RwkvConfig {
  /** V */
  readonly vocabulary: number;
  /** L */
  readonly layers: number;
  /** C */
  readonly channels: number;
  /** F, the size of the channel-mix's hidden layer; 4C in the official models. */
  readonly feedForward: number;
}

/** The parameters of an RWKV model. */
export interface RwkvParams {
  /** `[V, C]` */
  readonly embedding: Tensor;
  /** The normalization after the embedding. */
  readonly ln0: LayerNormParams;
  /** L blocks. */
  readonly blocks: readonly RwkvBlockParams[];
  /** The normalization before the head. */
  readonly lnOut: LayerNormParams;
  /** `[V, C]` */
  readonly head: Tensor;
}

/** The state of an RWKV model. Its size does not depend on the number of tokens. */
export interface RwkvState {
  /** One state for each block. */
  readonly blocks: readonly RwkvBlockState[];
}

/**
 * RWKV-4 (Peng et al.: "RWKV: Reinventing RNNs for the Transformer Era", 2023; BlinkDL/RWKV-LM,
 * `RWKV-v4neo/src/model.py`, including its initial values): a normalized embedding; L blocks of
 *
 *     x += timeMix(ln1(x));  x += channelMix(ln2(x))
 *
 * and a normalization and the head.
 *
 * @example
 * ```ts
 * import { presets, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * const { logits, state } = rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params));
 * console.log(logits.shape); // [ 1, 3, 64 ]
 * console.log(rwkv.forward(params, [[4]], state).logits.shape); // [ 1, 1, 64 ]
 * ```
 */
export const rwkv: LanguageModel<RwkvConfig, RwkvParams, RwkvState> = {
  name: "rwkv",

  ...initFrom<RwkvConfig, RwkvParams>((config, seed) => {
    checkConfig("initialize RWKV", config, ["vocabulary", "layers", "channels", "feedForward"]);
    const { vocabulary: V, layers: L, channels: C, feedForward: F } = config;
    const random = randomSource(seed);
    return {
      embedding: () => drawUniform(random, [V, C], 1e-4),
      ln0: layerNormInit({ channels: C }),
      blocks: Array.from({ length: L }, (_, layer) => ({
        ln1: layerNormInit({ channels: C }),
        timeMix: timeMixStart(random, C, layer, L),
        ln2: layerNormInit({ channels: C }),
        channelMix: channelMixStart(random, C, F, layer, L),
      })),
      lnOut: layerNormInit({ channels: C }),
      head: () => drawOrthogonal(random, V, C, 0.5 * (V > C ? Math.sqrt(V / C) : 1)),
    };
  }),

  initialState: initialStateWith(action, "RWKV", (params, batch) => ({
    blocks: params.blocks.map((block) => ({
      timeMix: timeMixState(block?.timeMix, batch),
      channelMix: channelMixState(block?.channelMix, batch),
    })),
  })),

  forward: forwardWith(
    action,
    "RWKV",
    recurrent((params, x, state) => {
      checkDepth(action, "blocks", state.blocks, params.blocks.length);
      const { y, states } = rwkvBlocks(params.blocks, layerNorm(x, params.ln0), state.blocks);
      return { y, state: { blocks: states } };
    }),
    (params, y) => linear(layerNorm(y, params.lnOut), params.head),
  ),
};
