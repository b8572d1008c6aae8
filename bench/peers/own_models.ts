/**
 * Models of one's own whose training is compared: regressors of a series with each of the mixers, and a bidirectional
 * tagger. Each is a function from parameters and a batch to the loss, as in an application.
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

/** Of every model: the width, the steps of a sequence, the attention's heads; and of the tagger: its ids and tags. */
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

/** A layer from `[B, T, C]` to `[B, T, C]`. */
interface Mixer<Params> {
  init(): Params;
  apply(params: Params, x: Tensor): Tensor;
}

function regressor<P>({ init, apply }: Mixer<P>): OwnModel {
  const start = () => ({
    up: linearInit({ inputs: 1, outputs: channels, bias: true }, 1),
    mixer: init(),
    head: linearInit({ inputs: channels, outputs: 1, bias: true }, 2),
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

const tagger: OwnModel = (() => {
  const start = () => ({
    embedding: normal([vocabulary, channels], { seed: 1 }),
    forwards: lstmInit({ inputs: channels, channels }, 2),
    backwards: lstmInit({ inputs: channels, channels }, 3),
    head: linearInit({ inputs: 2 * channels, outputs: tags, bias: true }, 4),
  });
  const loss: Loss<ReturnType<typeof start>, { readonly ids: Tensor; readonly tags: Tensor }> = (
    params,
    { ids, tags },
  ) => {
    const { forwards, backwards, head } = params, x = embedding(ids, params.embedding), [size] = ids.shape;
    const there = lstm(forwards, x, lstmState(forwards, size)).y;
    const back = reverse(lstm(backwards, reverse(x, 1), lstmState(backwards, size)).y, 1);
    return crossEntropy(linear(concat([there, back], 2), head.weight, head.bias), tags);
  };
  return { init: start, examples: sentences, loss };
})();

/** The models by their names. */
export const ownModels = {
  "regressor, LSTM": regressor({
    init: () => lstmInit({ inputs: channels, channels }, 3),
    apply: (params, x) => lstm(params, x, lstmState(params, x.shape[0])).y,
  }),
  "regressor, RWKV": regressor({
    init: () => ({
      ln1: layerNormInit({ channels }),
      timeMix: timeMixInit({ channels }, 3),
      ln2: layerNormInit({ channels }),
      channelMix: channelMixInit({ channels, feedForward }, 4),
    }),
    apply({ ln1, timeMix: time, ln2, channelMix: channel }, x) {
      const [size] = x.shape;
      const mixed = add(x, timeMix(time, layerNorm(x, ln1), timeMixState(time, size)).y);
      return add(mixed, channelMix(channel, layerNorm(mixed, ln2), channelMixState(channel, size)).y);
    },
  }),
  "regressor, attention": regressor({
    init: () => ({
      ln1: layerNormInit({ channels }),
      attention: multiHeadAttentionInit({ channels, heads }, 3),
      ln2: layerNormInit({ channels }),
      up: linearInit({ inputs: channels, outputs: feedForward }, 4),
      down: linearInit({ inputs: feedForward, outputs: channels }, 5),
    }),
    apply({ ln1, attention, ln2, up, down }, x) {
      const state = multiHeadAttentionState(attention, x.shape[0]);
      const mixed = add(x, multiHeadAttention(attention, layerNorm(x, ln1), state).y);
      return add(mixed, linear(gelu(linear(layerNorm(mixed, ln2), up.weight)), down.weight));
    },
  }),
  "tagger, LSTM": tagger,
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
