/**
 * Long computations of an application, for a model on a backend.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  type Backend,
  evaluate,
  fit,
  generate,
  lstmModel,
  motifTask,
  presets,
  put,
  rwkv,
  trainAndTest,
  transformer,
} from "@seqmix/seqmix";
import type { ModelName, PresetName } from "../measure/subjects.ts";

/** A model with its parameters on a backend. */
export interface Subject {
  readonly model: AnyLanguageModel;
  readonly config: unknown;
  readonly params: unknown;
  readonly backend: Backend;
}

const models = { rwkv, lstm: lstmModel, transformer } as Readonly<Record<ModelName, AnyLanguageModel>>;

export async function makeSubject(preset: PresetName, name: ModelName, backend: Backend): Promise<Subject> {
  const model = models[name], config = presets[preset][name];
  return { model, config, params: await put(model.init(config, 1), backend), backend };
}

/** Sequences of 128 tokens: `train` of them to train on, and 64 to test on. */
export function makeTask(train: number): { train: readonly Uint16Array[]; test: readonly Uint16Array[] } {
  return trainAndTest(motifTask({}, 1), { train, test: 64, length: 128, seed: 2 });
}

/** A prompt of any length, with arbitrary tokens. */
export function promptOf(length: number): number[] {
  return Array.from({ length }, (_, i) => i % 64);
}

/** Generates tokens after a prompt, and returns the state after them. */
export async function generateTokens(
  { model, params }: Subject,
  prompt: readonly number[],
  maxTokens: number,
  signal?: AbortSignal,
): Promise<unknown> {
  const stream = generate(model, params, prompt, { maxTokens, signal });
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return value;
  }
}

/** Evaluates a model. */
export async function evaluateOn(
  { model, params }: Subject,
  sequences: readonly Uint16Array[],
  signal?: AbortSignal,
): Promise<void> {
  await evaluate(model, params, sequences, { signal });
}

/** Trains a model from the beginning for some epochs, with an evaluation after each; calls `onEpoch` after each. */
export async function train(
  { model, config, backend }: Subject,
  task: ReturnType<typeof makeTask>,
  epochs: number,
  onEpoch: (epoch: number) => void = () => {},
  signal?: AbortSignal,
): Promise<void> {
  for await (const at of fit(model, task, { config, epochs, backend, batchSize: 32, signal })) {
    onEpoch(at.epoch);
    if (at.epoch === epochs) backend.free([at.params, at.optimizer]);
  }
}
