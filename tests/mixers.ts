/** Every layer and every model with the same interface, a mixer of sequences, for the tests that they share. */
import {
  add,
  type AnyLanguageModel,
  type Backend,
  channelMix,
  channelMixState,
  lstm,
  lstmModel,
  lstmState,
  multiHeadAttention,
  multiHeadAttentionState,
  multiply,
  put,
  reference,
  rwkv,
  type RwkvParams,
  type Tensor,
  tensor,
  timeMix,
  timeMixState,
  transformer,
  type TransformerParams,
  treeMap,
} from "@seqmix/seqmix";
import { randomSource } from "../src/random.ts";
import { sizeOf } from "../src/tree.ts";
import { normal } from "./helpers.ts";

/** A batch of sequences `[B][T]`; a step is a token id for a model and a list of channels for a layer. */
export type Sequences = readonly (readonly (number | readonly number[])[])[];

/** A layer or a model. */
export interface Mixer {
  readonly name: string;
  /** Whether keys reach ±60, where float32 is allowed ten times the error. */
  readonly steep: boolean;
  /** Whether the state is a cache, so that sessions of different lengths can't be stacked. */
  readonly cached: boolean;
  /** Random parameters, on a backend. */
  make(seed: number, backend: Backend): Promise<unknown>;
  /** The state before the first step. */
  state(params: unknown, batch: number): unknown;
  sequences(seed: number, batch: number, time: number): Sequences;
  run(params: unknown, x: Sequences, state: unknown, backend: Backend): { y: Tensor; state: unknown };
}

/** Normally distributed numbers around a centre, the same on every backend; on the reference. */
export function draws(seed: number, shape: readonly number[], deviation = 1, centre = 0): Tensor {
  const { data } = normal(randomSource(seed), shape, deviation);
  return tensor(data.map((value) => centre + value), shape);
}

/** A random matrix that preserves the scale of its inputs. */
function randomMatrix(seed: number, outputs: number, inputs: number): Tensor {
  return draws(seed, [outputs, inputs], 1 / Math.sqrt(inputs));
}

/** Adds noise to a model's initial parameters, with which an RWKV layer would add nothing. */
export function moved<P>(params: P, seed: number): P {
  return reference.scope(() =>
    treeMap(params, (t) => {
      const deviation = t.shape.length === 1 ? 0.2 : 1 / Math.sqrt(t.shape[1]);
      return add(t, draws(seed++, t.shape, deviation));
    })
  );
}

/** Key weights such that inputs of standard deviation 1 give keys up to ±60. */
function steepened(key: Tensor): Tensor {
  return multiply(key, tensor(new Float32Array(sizeOf(key.shape)).fill(20), key.shape));
}

export const timeMixParams = (seed: number) => ({
  mixK: draws(seed + 1, [7], 0.3, 0.5),
  mixV: draws(seed + 2, [7], 0.3, 0.5),
  mixR: draws(seed + 3, [7], 0.3, 0.5),
  decay: draws(seed + 4, [7], 1, -1),
  bonus: draws(seed + 5, [7]),
  key: randomMatrix(seed + 6, 7, 7),
  value: randomMatrix(seed + 7, 7, 7),
  receptance: randomMatrix(seed + 8, 7, 7),
  output: randomMatrix(seed + 9, 7, 7),
});

export const channelMixParams = (seed: number) => ({
  mixK: draws(seed + 1, [7], 0.3, 0.5),
  mixR: draws(seed + 2, [7], 0.3, 0.5),
  key: randomMatrix(seed + 3, 13, 7),
  receptance: randomMatrix(seed + 4, 7, 7),
  value: randomMatrix(seed + 5, 7, 13),
});

export const attentionParams = (seed: number) => ({
  heads: 3,
  query: randomMatrix(seed + 1, 12, 12),
  key: randomMatrix(seed + 2, 12, 12),
  value: randomMatrix(seed + 3, 12, 12),
  output: randomMatrix(seed + 4, 12, 12),
});

const attentionBiases = (seed: number) => ({
  queryBias: draws(seed + 5, [12]),
  keyBias: draws(seed + 6, [12]),
  valueBias: draws(seed + 7, [12]),
  outputBias: draws(seed + 8, [12]),
});

export const lstmParams = (seed: number) => ({
  inputWeight: randomMatrix(seed + 1, 28, 5),
  hiddenWeight: randomMatrix(seed + 2, 28, 7),
  bias: draws(seed + 3, [28]),
});

/** A model with its parameters, of any type. */
export interface SmallModel {
  readonly model: AnyLanguageModel;
  readonly name: string;
  /** Random parameters, on the reference. */
  make(seed: number): unknown;
}

const rwkvParams = (seed: number) =>
  moved(rwkv.init({ vocabulary: 11, layers: 2, channels: 9, feedForward: 13 }, seed), seed);

const transformerParams = (seed: number) =>
  moved(
    transformer.init({ vocabulary: 11, layers: 2, channels: 12, feedForward: 13, heads: 3 }, seed),
    seed,
  );

const lstmModelParams = (seed: number) =>
  moved(lstmModel.init({ vocabulary: 11, layers: 2, channels: 9 }, seed), seed);

/** Small models with 11 tokens and 2 layers, of sizes that no vector width divides. */
export const models: readonly SmallModel[] = [
  { name: "rwkv", model: rwkv as AnyLanguageModel, make: rwkvParams },
  { name: "transformer", model: transformer as AnyLanguageModel, make: transformerParams },
  { name: "lstmModel", model: lstmModel as AnyLanguageModel, make: lstmModelParams },
];

/** The parameters of a model, with the keys of every block scaled to reach ±60. */
function steepRwkv(params: RwkvParams): RwkvParams {
  const blocks = params.blocks.map((block) => {
    return { ...block, timeMix: { ...block.timeMix, key: steepened(block.timeMix.key) } };
  });
  return { ...params, blocks };
}

function steepTransformer(params: TransformerParams): TransformerParams {
  const blocks = params.blocks.map((block) => {
    return { ...block, attention: { ...block.attention, key: steepened(block.attention.key) } };
  });
  return { ...params, blocks };
}

/** All mixers, with parameters as random and general as possible. */
export const mixers: readonly Mixer[] = [
  layer("timeMix", 7, timeMixParams, timeMixState, timeMix),
  layer(
    "timeMix",
    7,
    (seed) => ({ ...timeMixParams(seed), key: steepened(timeMixParams(seed).key) }),
    timeMixState,
    timeMix,
    { variant: "keys of ±60", steep: true },
  ),
  layer("channelMix", 7, channelMixParams, channelMixState, channelMix),
  layer("multiHeadAttention", 12, attentionParams, multiHeadAttentionState, multiHeadAttention, {
    cached: true,
  }),
  layer(
    "multiHeadAttention",
    12,
    (seed) => ({ ...attentionParams(seed), ...attentionBiases(seed), rotaryBase: 100 }),
    multiHeadAttentionState,
    multiHeadAttention,
    { variant: "positions and biases", cached: true },
  ),
  layer(
    "multiHeadAttention",
    12,
    (seed) => ({ ...attentionParams(seed), key: steepened(attentionParams(seed).key), rotaryBase: 10_000 }),
    multiHeadAttentionState,
    multiHeadAttention,
    { variant: "keys of ±60", steep: true, cached: true },
  ),
  layer("lstm", 5, lstmParams, lstmState, lstm),
  languageModel("rwkv", rwkvParams, rwkv),
  languageModel("rwkv", (seed) => steepRwkv(rwkvParams(seed)), rwkv, {
    variant: "keys of ±60",
    steep: true,
  }),
  languageModel("transformer", transformerParams, transformer, { cached: true }),
  languageModel("transformer", (seed) => steepTransformer(transformerParams(seed)), transformer, {
    variant: "keys of ±60",
    steep: true,
    cached: true,
  }),
  languageModel("lstmModel", lstmModelParams, lstmModel),
];

interface Variant {
  readonly variant?: string;
  readonly steep?: boolean;
  readonly cached?: boolean;
}

function describe(name: string, { variant, steep = false, cached = false }: Variant) {
  return { name: variant === undefined ? `${name}()` : `${name}() with ${variant}`, steep, cached };
}

function layer<P, S>(
  name: string,
  width: number,
  make: (seed: number) => P,
  state: (params: P, batch: number) => S,
  run: (params: P, x: Tensor, state: S) => { y: Tensor; state: S },
  variant: Variant = {},
): Mixer {
  return {
    ...describe(name, variant),
    make: (seed, backend) => put(make(seed), backend),
    state: (params, batch) => state(params as P, batch),
    sequences(seed, batch, time) {
      const random = randomSource(seed);
      const step = () => Array.from({ length: width }, () => Math.fround(random.normal()));
      return Array.from({ length: batch }, () => Array.from({ length: time }, step));
    },
    run: (params, x, from, backend) =>
      backend.scope(() => {
        const shape = [x.length, x[0].length, width];
        return run(params as P, tensor(x.flat(2) as number[], shape, backend), from as S);
      }),
  };
}

function languageModel<P, S>(
  name: string,
  make: (seed: number) => P,
  model: {
    initialState(params: P, batch?: number): S;
    forward(params: P, tokens: readonly number[][], state: S): { logits: Tensor; state: S };
  },
  variant: Variant = {},
): Mixer {
  return {
    ...describe(name, variant),
    make: (seed, backend) => put(make(seed), backend),
    state: (params, batch) => model.initialState(params as P, batch),
    sequences(seed, batch, time) {
      const random = randomSource(seed);
      return Array.from({ length: batch }, () => Array.from({ length: time }, () => random.integer(11)));
    },
    run(params, x, from) {
      const { logits, state } = model.forward(params as P, x as number[][], from as S);
      return { y: logits, state };
    },
  };
}
