/**
 * Language models made of the layers, with functions to generate tokens and to evaluate a model.
 *
 * @example
 * ```ts
 * import { generate, presets, rwkv } from "@seqmix/seqmix/models";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * for await (const id of generate(rwkv, params, [1, 2, 3], { maxTokens: 4 })) console.log(id);
 * ```
 *
 * @module
 */
export { evaluate, type EvaluateOptions, type Evaluation } from "./evaluate.ts";
export { generate, type GenerateOptions } from "./generate.ts";
export type { LogitsOptions } from "./logits.ts";
export type { AnyLanguageModel, ForwardOptions, LanguageModel, Prediction } from "./language_model.ts";
export { type LstmConfig, lstmModel, type LstmModelParams, type LstmModelState } from "./lstm.ts";
export { type Preset, presets } from "./presets.ts";
export { rwkv, type RwkvConfig, type RwkvParams, type RwkvState } from "./rwkv.ts";
export {
  transformer,
  type TransformerBlockParams,
  type TransformerConfig,
  type TransformerParams,
  type TransformerState,
} from "./transformer.ts";
