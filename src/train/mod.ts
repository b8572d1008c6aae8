/**
 * Training: the optimiser, clipping and the schedule as pure functions, and `fit`, which puts them together.
 *
 * @example
 * ```ts
 * import { presets, rwkv } from "@seqmix/seqmix/models";
 * import { fit } from "@seqmix/seqmix/train";
 *
 * const train = [[1, 2, 3, 4, 1, 2, 3, 4], [2, 3, 4, 1, 2, 3, 4, 1]];
 * for await (const at of fit(rwkv, { train }, { config: presets.matched.rwkv, epochs: 2 })) {
 *   console.log(at.epoch, at.trainLoss);
 * }
 * ```
 *
 * @module
 */
export {
  adamW,
  type AdamWHyper,
  type Leaf,
  type Optimizer,
  type OptimizerState,
  type PerLeaf,
} from "./adam_w.ts";
export { clipByGlobalNorm, squaredNorm } from "./clip.ts";
export type { TensorNumbers, Tensors } from "./collate.ts";
export { fit } from "./fit.ts";
export type { FitLossOptions, FitOptions, FitTask, TrainingOptions } from "./fit_options.ts";
export type { FitProgress } from "./fit_progress.ts";
export type { Loss, LossContext, LossEvaluation } from "./loss.ts";
export { cosineDecay, type CosineDecayOptions } from "./schedule.ts";
export type { FitWorker } from "./fit_worker.ts";
