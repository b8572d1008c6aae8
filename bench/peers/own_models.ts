/**
 * Models of one's own whose training is compared: regressors of a series and bidirectional taggers, with each of the
 * mixers. Each is a function from parameters and a batch to the loss, as in an application.
 *
 * @module
 */
import {
  add,
  channelMix,
  channelMixInit,
  channelMixState,
  concat,
  crossEntropy,
  embedding,
  gelu,
  lastStep,
  layerNorm,
  layerNormInit,
  linear,
  linearInit,
  type Loss,
  lstm,
  lstmInit,
  lstmState,
  meanSquaredError,
  multiHeadAttention,
  multiHeadAttentionInit,
  multiHeadAttentionState,
  normal,
  reshape,
  reverse,
  type Tensor,
  timeMix,
  timeMixInit,
  timeMixState,
} from "@seqmix/seqmix";
import { randomSource } from "../../src/random.ts";

/** Of every model: the width, the steps of a sequence, the attention's heads; and of the taggers: the ids and tags. */
export const channels = 64, length = 64, heads = 4, vocabulary = 64, tags = 10;
const feedForward = 4 * channels;

/** A series and the number to predict from it. */
interface Point {
  readonly x: number[];
  readonly y: number;
}

/** A sentence and its tags. */
interface Sentence {
  readonly ids: number[];
  readonly tags: number[];
}

/** A model with its data. */
export interface OwnModel {
  /** The parameters to start from, on the reference. */
  init(): unknown;
  /** The examples of a batch. */
  examples(count: number): readonly (Point | Sentence)[];
  readonly loss: Loss<never, never>;
}

/** A layer or block that mixes a sequence. */
interface Mixer<Params> {
  /** The channels of its results. */
  readonly width: number;
  init(seed: number): Params;
  /** From `[B, T, C]` to `[B, T, width]`. */
  apply(params: Params, x: Tensor): Tensor;
}

const lstmMixer: Mixer<ReturnType<typeof lstmInit>> = {
  width: channels,
  init: (seed) => lstmInit({ inputs: channels, channels }, seed),
  apply: (params, x) => lstm(params, x, lstmState(params, x.shape[0])).y,
};

const rwkvInit = (seed: number) => ({
  ln1: layerNormInit({ channels }),
  timeMix: timeMixInit({ channels }, seed),
  ln2: layerNormInit({ channels }),
  channelMix: channelMixInit({ channels, feedForward }, seed + 1),
});

const rwkvMixer: Mixer<ReturnType<typeof rwkvInit>> = {
  width: channels,
  init: rwkvInit,
  apply({ ln1, timeMix: time, ln2, channelMix: channel }, x) {
    const [size] = x.shape;
    const mixed = add(x, timeMix(time, layerNorm(x, ln1), timeMixState(time, size)).y);
    return add(mixed, channelMix(channel, layerNorm(mixed, ln2), channelMixState(channel, size)).y);
  },
};

const attentionInit = (seed: number) => ({
  ln1: layerNormInit({ channels }),
  attention: multiHeadAttentionInit({ channels, heads }, seed),
  ln2: layerNormInit({ channels }),
  up: linearInit({ inputs: channels, outputs: feedForward }, seed + 1),
  down: linearInit({ inputs: feedForward, outputs: channels }, seed + 2),
});

const attentionMixer = (causal: boolean): Mixer<ReturnType<typeof attentionInit>> => ({
  width: channels,
  init: attentionInit,
  apply({ ln1, attention, ln2, up, down }, x) {
    const state = multiHeadAttentionState(attention, x.shape[0]);
    const mixed = add(x, multiHeadAttention(attention, layerNorm(x, ln1), state, { causal }).y);
    return add(mixed, linear(gelu(linear(layerNorm(mixed, ln2), up.weight)), down.weight));
  },
});

/** One mixer from the start of the sequence and one from its end. */
const bothWays = <P>({ width, init, apply }: Mixer<P>): Mixer<{ forwards: P; backwards: P }> => ({
  width: 2 * width,
  init: (seed) => ({ forwards: init(seed), backwards: init(seed + 10) }),
  apply: ({ forwards, backwards }, x) =>
    concat([apply(forwards, x), reverse(apply(backwards, reverse(x, 1)), 1)], 2),
});

function regressor<P>({ width, init, apply }: Mixer<P>): OwnModel {
  const start = () => ({
    up: linearInit({ inputs: 1, outputs: channels, bias: true }, 1),
    mixer: init(3),
    head: linearInit({ inputs: width, outputs: 1, bias: true }, 2),
  });
  const loss: Loss<ReturnType<typeof start>, { readonly x: Tensor; readonly y: Tensor }> = (
    params,
    { x, y },
  ) => {
    const { up, mixer, head } = params, series = reshape(x, [...x.shape, 1]);
    const last = lastStep(apply(mixer, linear(series, up.weight, up.bias)));
    return meanSquaredError(reshape(linear(last, head.weight, head.bias), y.shape), y);
  };
  return { init: start, examples: points, loss };
}

function tagger<P>({ width, init, apply }: Mixer<P>): OwnModel {
  const start = () => ({
    embedding: normal([vocabulary, channels], { seed: 1 }),
    mixer: init(3),
    head: linearInit({ inputs: width, outputs: tags, bias: true }, 2),
  });
  const loss: Loss<ReturnType<typeof start>, { readonly ids: Tensor; readonly tags: Tensor }> = (
    { embedding: vectors, mixer, head },
    { ids, tags },
  ) => crossEntropy(linear(apply(mixer, embedding(ids, vectors)), head.weight, head.bias), tags);
  return { init: start, examples: sentences, loss };
}

/** The models by their names. */
export const ownModels = {
  "regressor, LSTM": regressor(lstmMixer),
  "regressor, RWKV": regressor(rwkvMixer),
  "regressor, attention": regressor(attentionMixer(true)),
  "tagger, LSTM": tagger(bothWays(lstmMixer)),
  "tagger, RWKV": tagger(bothWays(rwkvMixer)),
  "tagger, attention": tagger(attentionMixer(false)),
} satisfies Record<string, OwnModel>;

export type OwnModelName = keyof typeof ownModels;

/** A model to compare. */
export interface OwnCase {
  readonly model: OwnModelName;
}

/** Sines with noise; the target is the value of the sine five steps on. */
function points(count: number): Point[] {
  const random = randomSource(5);
  return Array.from({ length: count }, () => {
    const rate = 0.1 + 0.3 * random.uniform(), start = 6 * random.uniform();
    const x = Array.from({ length }, (_, t) => Math.sin(start + rate * t) + 0.1 * random.normal());
    return { x, y: Math.sin(start + rate * (length + 4)) };
  });
}

/** Random ids; the tag depends on the ids on both sides. */
function sentences(count: number): Sentence[] {
  const random = randomSource(6);
  return Array.from({ length: count }, () => {
    const ids = Array.from({ length }, () => Math.floor(vocabulary * random.uniform()));
    return { ids, tags: ids.map((_, t) => ((ids[t - 1] ?? 0) + (ids[t + 1] ?? 0)) % tags) };
  });
}
