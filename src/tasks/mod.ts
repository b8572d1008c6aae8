/**
 * The synthetic next-token task: its sequences, the best achievable predictions, and an n-gram baseline.
 *
 * @module
 */
export { type Motif, type MotifTask, motifTask, type MotifTaskConfig } from "./motif_task.ts";
export {
  sampleSequences,
  type SequenceOptions,
  trainAndTest,
  type TrainAndTestOptions,
} from "./sequences.ts";
export { ceiling, idealProbabilities } from "./ceiling.ts";
export { accuracyByKind, type PositionKind, positionKinds } from "./position_kinds.ts";
export { evaluateNgram, fitNgram, type NgramContext, type NgramModel, ngramProbabilities } from "./ngram.ts";
export type { PredictionScore } from "./score.ts";
