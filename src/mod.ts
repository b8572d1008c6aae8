/**
 * Every public name. `mod.ts` beside this folder has the same ones, from the bundle that `tools/build_bundle.ts` makes of
 * this module.
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
} from "./tensor.ts";
export { put, read, readFloat64, tensor } from "./transfer.ts";
export { parameterCount, treeMap } from "./tree.ts";
export { type BackendName, createBackend, type CreateBackendOptions } from "./backends/create.ts";
export { createWasm, type WasmOptions } from "./backends/wasm/mod.ts";
export { createWebGpu, type WebGpuOptions } from "./backends/webgpu/mod.ts";
export { DeviceLostError } from "./backends/webgpu/device_lost_error.ts";
export { createReference, reference, type ReferenceOptions } from "./backends/reference/mod.ts";

export { appendTime } from "./ops/append_time/mod.ts";
export { attention } from "./ops/attention/mod.ts";
export { sliceState, stackStates } from "./ops/batch/mod.ts";
export { crossEntropy } from "./ops/cross_entropy/mod.ts";
export { add, gelu, mix, multiply, negativeExp, sigmoid, squaredRelu, tanh } from "./ops/elementwise/mod.ts";
export { embedding, type Tokens } from "./ops/embedding/mod.ts";
export { layerNorm, type LayerNormParams } from "./ops/layer_norm/mod.ts";
export { linear } from "./ops/linear/mod.ts";
export { lstmRecurrence } from "./ops/lstm/mod.ts";
export { rotary, type RotaryOptions } from "./ops/rotary/mod.ts";
export { sample, type SampleOptions } from "./ops/sample/mod.ts";
export { lastStep, shiftTime } from "./ops/shift_time/mod.ts";
export { softmax } from "./ops/softmax/mod.ts";
export { wkv, wkvState } from "./ops/wkv/mod.ts";

export {
  channelMix,
  type ChannelMixParams,
  type ChannelMixState,
  channelMixState,
} from "./layers/channel_mix.ts";
export { lstm, type LstmParams, type LstmState, lstmState } from "./layers/lstm.ts";
export {
  multiHeadAttention,
  type MultiHeadAttentionParams,
  type MultiHeadAttentionState,
  multiHeadAttentionState,
} from "./layers/multi_head_attention.ts";
export type { RwkvBlockParams, RwkvBlockState } from "./layers/rwkv_blocks.ts";
export { timeMix, type TimeMixParams, type TimeMixState, timeMixState } from "./layers/time_mix.ts";

export { evaluate, type EvaluateOptions, type Evaluation } from "./models/evaluate.ts";
export { generate, type GenerateOptions } from "./models/generate.ts";
export type { AnyLanguageModel, ForwardOptions, LanguageModel, Prediction } from "./models/language_model.ts";
export { type LstmConfig, lstmModel, type LstmModelParams, type LstmModelState } from "./models/lstm.ts";
export { type Preset, presets } from "./models/presets.ts";
export { rwkv, type RwkvConfig, type RwkvParams, type RwkvState } from "./models/rwkv.ts";
export {
  transformer,
  type TransformerBlockParams,
  type TransformerConfig,
  type TransformerParams,
  type TransformerState,
} from "./models/transformer.ts";

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
} from "./tasks/mod.ts";
export { type RandomSource, randomSource } from "./random.ts";

export { valueAndGrad } from "./autodiff/mod.ts";
export {
  adamW,
  type AdamWHyper,
  type Leaf,
  type Optimizer,
  type OptimizerState,
  type PerLeaf,
} from "./train/adam_w.ts";
export { clipByGlobalNorm, squaredNorm } from "./train/clip.ts";
export { fit, type FitOptions, type FitProgress, type FitTask } from "./train/fit.ts";
export { cosineDecay, type CosineDecayOptions } from "./train/schedule.ts";

export { type LoadedTree, loadTree, saveTree } from "./checkpoint/mod.ts";
export { fromOfficialRwkv, toOfficialRwkv } from "./checkpoint/rwkv_names.ts";
