/**
 * A Transformer as a language model.
 *
 * @module
 */
import { checkConfig, drawNormal, initFrom } from "../initialize.ts";
import { layerNormInit } from "../layers/operation_params.ts";
import {
  attendWithHeads,
  type MultiHeadAttentionParams,
  type MultiHeadAttentionState,
  multiHeadAttentionState,
} from "../layers/multi_head_attention.ts";
import { seenSteps } from "../layers/seen_steps.ts";
import { checkRotaryHeads, multiHeadAttentionStart } from "../layers/starts.ts";
import { add, gelu } from "../ops/elementwise/mod.ts";
import { layerNorm, type LayerNormParams } from "../ops/layer_norm/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import { randomSource } from "../random.ts";
import type { Tensor } from "../tensor.ts";
import { checkDepth, forwardWith, initialStateWith, type LanguageModel } from "./language_model.ts";

const action = "run Transformer";

/** The sizes of a Transformer. */
export interface TransformerConfig {
  /** V */
  readonly vocabulary: number;
  /** L */
  readonly layers: number;
  /** C */
  readonly channels: number;
  /** F, usually 4C. */
  readonly feedForward: number;
  /** H, which divides C into even head sizes. */
  readonly heads: number;
}

/** One block of a Transformer. */
export interface TransformerBlockParams {
  /** The normalization before the attention. */
  readonly ln1: LayerNormParams;
  /** See {@linkcode multiHeadAttention}. */
  readonly attention: MultiHeadAttentionParams;
  /** The normalization before the feed-forward layer. */
  readonly ln2: LayerNormParams;
  /** Up `[F, C]` and down `[C, F]`. */
  readonly feedForward: { readonly up: Tensor; readonly down: Tensor };
}

/** The parameters of a Transformer. */
export interface TransformerParams {
  /** `[V, C]` */
  readonly embedding: Tensor;
  /** L blocks. */
  readonly blocks: readonly TransformerBlockParams[];
  /** The normalization before the head. */
  readonly lnOut: LayerNormParams;
  /** `[V, C]` */
  readonly head: Tensor;
}

/** The state of a Transformer: the key-value caches, which grow with every token. */
export interface TransformerState {
  /** One cache for each block. */
  readonly blocks: readonly MultiHeadAttentionState[];
}

/**
 * A Transformer decoder (Vaswani et al., 2017; with the normalization first, as in GPT-2) with rotary positions, which
 * take no parameters and do not limit the length: an embedding; L blocks of
 *
 *     x += attention(ln1(x));  x += W_down gelu(W_up ln2(x))
 *
 * and a normalization and the head. Initial weights are normal with a standard deviation of 0.02, divided by √(2L) for
 * the two output projections of each block.
 *
 * @example
 * ```ts
 * import { presets, transformer } from "@seqmix/seqmix";
 *
 * const params = transformer.init(presets.matched.transformer, 1);
 * const { logits, state } = transformer.forward(params, [[1, 2, 3]], transformer.initialState(params));
 * console.log(logits.shape, state.blocks[0].key.shape); // [ 1, 3, 64 ] [ 1, 3, 32 ]
 * ```
 */
export const transformer: LanguageModel<TransformerConfig, TransformerParams, TransformerState> = {
  name: "transformer",

  ...initFrom<TransformerConfig, TransformerParams>((config, seed) => {
    const action = "initialize Transformer";
    checkConfig(action, config, ["vocabulary", "layers", "channels", "feedForward", "heads"]);
    const { vocabulary: V, layers: L, channels: C, feedForward: F, heads } = config;
    checkRotaryHeads(action, heads, C);
    const random = randomSource(seed);
    const deviation = 0.02, projection = deviation / Math.sqrt(2 * L);
    return {
      embedding: () => drawNormal(random, [V, C], deviation),
      blocks: Array.from({ length: L }, () => ({
        ln1: layerNormInit({ channels: C }),
        attention: multiHeadAttentionStart(random, C, heads, L, 10_000),
        ln2: layerNormInit({ channels: C }),
        feedForward: {
          up: () => drawNormal(random, [F, C], deviation),
          down: () => drawNormal(random, [C, F], projection),
        },
      })),
      lnOut: layerNormInit({ channels: C }),
      head: () => drawNormal(random, [V, C], deviation),
    };
  }),

  initialState: initialStateWith(action, "a Transformer", (params, batch) => ({
    blocks: params.blocks.map((block) => multiHeadAttentionState(block?.attention, batch)),
  })),

  forward: forwardWith(
    action,
    "a Transformer",
    (params, embedded, state, mask) => {
      checkDepth(action, "blocks", state.blocks, params.blocks.length);
      let x = embedded;
      const seen = seenSteps(x, state.blocks[0], mask);
      const blocks = params.blocks.map((block, i) => {
        const attended = attendWithHeads(block?.attention, layerNorm(x, block?.ln1), state.blocks[i], seen);
        const { ln2, feedForward } = block;
        x = add(x, attended.y);
        x = add(x, linear(gelu(linear(layerNorm(x, ln2), feedForward?.up)), feedForward.down));
        return attended.state;
      });
      return { y: x, state: { blocks } };
    },
    (params, y) => linear(layerNorm(y, params.lnOut), params.head),
  ),
};
