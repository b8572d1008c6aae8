/** Uses the declarations under TypeScript's strictest options; see `tsconfig.json`. */
import {
  type AnyLanguageModel,
  createBackend,
  createReference,
  createWasm,
  createWebGpu,
  embedding,
  evaluate,
  fit,
  type FitOptions,
  generate,
  type LanguageModel,
  linear,
  loadTree,
  lstmModel,
  type LstmState,
  presets,
  put,
  read,
  rwkv,
  type RwkvConfig,
  type RwkvParams,
  sample,
  saveTree,
  type Tensor,
  tensor,
  transformer,
  valueAndGrad,
} from "@seqmix/seqmix";
import { wkv } from "@seqmix/seqmix/ops";
import type { Backend } from "@seqmix/seqmix/core";
import { timeMix } from "@seqmix/seqmix/layers";
import { presets as samePresets } from "@seqmix/seqmix/models";
import { adamW } from "@seqmix/seqmix/train";
import { motifTask, trainAndTest } from "@seqmix/seqmix/tasks";
import { textTask, windows } from "@seqmix/seqmix/data";
import { saveTree as sameSaveTree } from "@seqmix/seqmix/checkpoint";
import { provideLosses, provideModels } from "@seqmix/seqmix/worker";

interface Params {
  readonly embedding: Tensor;
  readonly head: Tensor;
}

/** A user-written model. */
export const bigram: LanguageModel<{ vocabulary: number }, Params, null> = {
  name: "bigram",
  init: ({ vocabulary }) => ({
    embedding: tensor(new Float32Array(4 * vocabulary), [vocabulary, 4]),
    head: tensor(new Float32Array(4 * vocabulary), [vocabulary, 4]),
  }),
  initialState: () => null,
  forward: (params, tokens) => ({
    logits: linear(embedding(tokens, params.embedding), params.head),
    state: null,
  }),
};
provideModels(bigram, rwkv);

/** Losses, with and without a function that collates. */
export async function trainLosses(texts: readonly string[], options: { workers?: number }): Promise<number> {
  const weight = tensor([0], [1, 1]), points = [{ x: new Float32Array([1]), scale: 2 }];
  const scaled = (params: { weight: Tensor }, batch: { x: Tensor; scale: Tensor }): Tensor =>
    linear(batch.scale, linear(batch.x, params.weight));
  provideLosses({ scaled });
  let sum = 0;
  for await (
    const at of fit(scaled, { train: points, test: points }, {
      params: { weight },
      learningRate: (step, steps) => 1 - step / steps,
      metrics: async ({ weight }, examples) => (await read(weight)).length + examples.length,
      ...options,
    })
  ) {
    const metrics: number | null = at.metrics;
    sum += at.test?.loss ?? metrics ?? 0;
  }
  const collate = (some: readonly string[]) => ({ counts: some.map((text) => [text.length]) });
  const reports = fit((weight, { counts }) => linear(counts, weight), { train: texts }, {
    params: weight,
    collate,
  });
  for await (const { params } of reports) sum += params.shape.length;
  return sum;
}

/** Options that may be undefined can be passed on. */
export async function train(options: Partial<FitOptions<RwkvConfig, RwkvParams>>): Promise<number> {
  const { backend, every, worker } = options;
  const task = trainAndTest(motifTask({}, 1), { train: 4, test: 2, length: 8, seed: 1 });
  let loss = 0;
  for await (
    const at of fit(rwkv, task, { config: presets.matched.rwkv, backend, every, worker, workers: 2 })
  ) {
    loss = at.trainLoss;
    const accuracy: number | undefined = at.test?.accuracy;
    if (accuracy === 1) saveTree(at.params);
  }
  return loss;
}

export async function use(backend: Backend): Promise<LstmState | undefined> {
  const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
  const { logits, state } = rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params), { logits: "last" });
  for await (const id of generate(rwkv, params, [1, 2], { state, maxTokens: 3 })) {
    sample(logits, { seed: id });
  }
  const { grads } = valueAndGrad((t: Tensor) => linear(t, t), tensor([1], [1, 1]));
  const numbers: Float32Array | Float64Array = await read(grads);
  const { tree } = loadTree(saveTree({ numbers: tensor(numbers, [1, 1]) }), createReference());
  await evaluate(transformer, transformer.init(presets.matched.transformer, 1), [[1, 2, 3]]);
  const models: readonly AnyLanguageModel[] = [rwkv as AnyLanguageModel, lstmModel as AnyLanguageModel];
  return models.length === 0 ? tree as LstmState : undefined;
}

export const backends: Promise<Backend>[] = [
  createBackend({ prefer: ["wasm"] }),
  createWasm({ simd: "baseline" }),
  createWebGpu({ powerPreference: "low-power" }),
];
export const slices: [Uint16Array[], number[][]] = [windows(new Uint16Array(9), 3), windows([1, 2, 3], 3, 1)];
export const names = [textTask, wkv, timeMix, samePresets, adamW, sameSaveTree];
