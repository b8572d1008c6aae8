/**
 * The sizes of the models in the benchmarks.
 *
 * @module
 */
import type { LstmConfig } from "./lstm.ts";
import type { RwkvConfig } from "./rwkv.ts";
import type { TransformerConfig } from "./transformer.ts";

/** The sizes of the three models in one comparison. */
export interface Preset {
  /** The sizes of {@linkcode rwkv}. */
  readonly rwkv: RwkvConfig;
  /** The sizes of {@linkcode transformer}. */
  readonly transformer: TransformerConfig;
  /** The sizes of {@linkcode lstmModel}. */
  readonly lstm: LstmConfig;
}

/**
 * The two comparisons: `article` is the architecture that "Deconstructing RWKV, Part 3" describes, with 0.54 to 0.87
 * million parameters; `matched` has four layers as well, and about fifty thousand parameters for each model, the number
 * that the article states.
 *
 * @example
 * ```ts
 * import { lstmModel, parameterCount, presets, rwkv, transformer } from "@seqmix/seqmix";
 *
 * console.log(parameterCount(rwkv.init(presets.matched.rwkv, 1))); // 51712
 * console.log(parameterCount(transformer.init(presets.matched.transformer, 1))); // 51776
 * console.log(parameterCount(lstmModel.init(presets.matched.lstm, 1))); // 51680
 * ```
 */
export const presets: { readonly article: Preset; readonly matched: Preset } = {
  article: {
    rwkv: { vocabulary: 64, layers: 4, channels: 128, feedForward: 512 },
    transformer: { vocabulary: 64, layers: 4, channels: 128, feedForward: 512, heads: 4 },
    lstm: { vocabulary: 64, layers: 4, channels: 128 },
  },
  matched: {
    rwkv: { vocabulary: 64, layers: 4, channels: 32, feedForward: 100 },
    transformer: { vocabulary: 64, layers: 4, channels: 32, feedForward: 120, heads: 4 },
    lstm: { vocabulary: 64, layers: 4, channels: 38 },
  },
};
