/**
 * Seqmix: pure functions for the three ways a network can mix a sequence (RWKV, attention, LSTM), and the language
 * models built of them. Every mixer is the same function,
 *
 *     (params, x: [B, T, C], state) -> { y: [B, T, C], state }
 *
 * and splitting a sequence anywhere changes nothing: one token is T = 1, a prompt is T = n.
 *
 * @example
 * ```ts
 * import { generate, presets, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * for await (const id of generate(rwkv, params, [1, 2, 3], { maxTokens: 4 })) console.log(id);
 * ```
 *
 * @module
 */
export type {
  AdamWStep,
  Backend,
  BackwardOperations,
  Floats,
  MemoryUse,
  Operations,
  RwkvStack,
  RwkvStacks,
  Tensor,
} from "./src/tensor.ts";
export { put, read, readFloat64, tensor } from "./src/transfer.ts";
export { parameterCount, treeMap } from "./src/tree.ts";
export { type BackendName, createBackend, type CreateBackendOptions } from "./src/backends/create.ts";
export { createWasm, type WasmOptions } from "./src/backends/wasm/mod.ts";
export { createWebGpu, type WebGpuOptions } from "./src/backends/webgpu/mod.ts";
export { DeviceLostError } from "./src/backends/webgpu/device_lost_error.ts";
export { createReference, reference, type ReferenceOptions } from "./src/backends/reference/mod.ts";

export { appendTime } from "./src/ops/append_time/mod.ts";
export { attention } from "./src/ops/attention/mod.ts";
export { sliceState, stackStates } from "./src/ops/batch/mod.ts";
export { crossEntropy } from "./src/ops/cross_entropy/mod.ts";
export {
  add,
  gelu,
  mix,
  multiply,
  negativeExp,
  sigmoid,
  squaredRelu,
  tanh,
} from "./src/ops/elementwise/mod.ts";
export { embedding, type Tokens } from "./src/ops/embedding/mod.ts";
export { layerNorm, type LayerNormParams } from "./src/ops/layer_norm/mod.ts";
export { linear } from "./src/ops/linear/mod.ts";
export { lstmRecurrence } from "./src/ops/lstm/mod.ts";
export { rotary, type RotaryOptions } from "./src/ops/rotary/mod.ts";
export { sample, type SampleOptions } from "./src/ops/sample/mod.ts";
export { lastStep, shiftTime } from "./src/ops/shift_time/mod.ts";
export { softmax } from "./src/ops/softmax/mod.ts";
export { wkv, wkvState } from "./src/ops/wkv/mod.ts";

export {
  channelMix,
  type ChannelMixParams,
  type ChannelMixState,
  channelMixState,
} from "./src/layers/channel_mix.ts";
export { lstm, type LstmParams, type LstmState, lstmState } from "./src/layers/lstm.ts";
export {
  multiHeadAttention,
  type MultiHeadAttentionParams,
  type MultiHeadAttentionState,
  multiHeadAttentionState,
} from "./src/layers/multi_head_attention.ts";
export type { RwkvBlockParams, RwkvBlockState } from "./src/layers/rwkv_blocks.ts";
export { timeMix, type TimeMixParams, type TimeMixState, timeMixState } from "./src/layers/time_mix.ts";

export { evaluate, type Evaluation } from "./src/models/evaluate.ts";
export { generate, type GenerateOptions } from "./src/models/generate.ts";
export type { AnyLanguageModel, LanguageModel, Prediction } from "./src/models/language_model.ts";
export { type LstmConfig, lstmModel, type LstmModelParams, type LstmModelState } from "./src/models/lstm.ts";
export { type Preset, presets } from "./src/models/presets.ts";
export { rwkv, type RwkvConfig, type RwkvParams, type RwkvState } from "./src/models/rwkv.ts";
export {
  transformer,
  type TransformerBlockParams,
  type TransformerConfig,
  type TransformerParams,
  type TransformerState,
} from "./src/models/transformer.ts";

export {
  accuracyByKind,
  ceiling,
  evaluateNgram,
  fitNgram,
  idealProbabilities,
  type Motif,
  type MotifTask,
  motifTask,
  type MotifTaskConfig,
  type NgramContext,
  type NgramModel,
  ngramProbabilities,
  type PositionKind,
  positionKinds,
  type PredictionScore,
  sampleSequences,
  type SequenceOptions,
  trainAndTest,
  type TrainAndTestOptions,
} from "./src/tasks/mod.ts";
export { type RandomSource, randomSource } from "./src/random.ts";

export { valueAndGrad } from "./src/autodiff/mod.ts";
export {
  adamW,
  type AdamWHyper,
  type Leaf,
  type Optimizer,
  type OptimizerState,
  type PerLeaf,
} from "./src/train/adam_w.ts";
export { clipByGlobalNorm, squaredNorm } from "./src/train/clip.ts";
export { fit, type FitOptions, type FitProgress, type FitTask } from "./src/train/fit.ts";
export { cosineDecay, type CosineDecayOptions } from "./src/train/schedule.ts";

export { type LoadedTree, loadTree, saveTree } from "./src/checkpoint/mod.ts";
export { fromOfficialRwkv, toOfficialRwkv } from "./src/checkpoint/rwkv_names.ts";
