/**
 * Multi-head attention with a key-value cache, causal or not.
 *
 * @module
 */
import { checkInteger, checkNumber, checkSameShape, checkShape, isTensor } from "../check.ts";
import { engineOf } from "../engine.ts";
import { checkConfig, drawn } from "../initialize.ts";
import { maskOf } from "../mask.ts";
import { checkNames, type Names } from "../names.ts";
import { appendTime } from "../ops/append_time/mod.ts";
import { attention, checkCausal, checkHeads } from "../ops/attention/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import { rotate } from "../ops/rotary/mod.ts";
import { type SeenSteps, seenSteps } from "./seen_steps.ts";
import { checkRotaryHeads, multiHeadAttentionStart } from "./starts.ts";
import { randomSource } from "../random.ts";
import { shapeOf } from "../tracked_shape.ts";
import type { Tensor } from "../tensor.ts";

/** The parameters of {@linkcode multiHeadAttention}. */
export interface MultiHeadAttentionParams {
  /** H, which divides C. */
  readonly heads: number;
  /** `[C, C]` */
  readonly query: Tensor;
  /** `[C, C]` */
  readonly key: Tensor;
  /** `[C, C]` */
  readonly value: Tensor;
  /** `[C, C]` */
  readonly output: Tensor;
  /** `[C]`; default: no bias. */
  readonly queryBias?: Tensor | undefined;
  /** `[C]`; default: no bias. */
  readonly keyBias?: Tensor | undefined;
  /** `[C]`; default: no bias. */
  readonly valueBias?: Tensor | undefined;
  /** `[C]`; default: no bias. */
  readonly outputBias?: Tensor | undefined;
  /** The base of rotary position embeddings, usually 10,000; default: no positions. */
  readonly rotaryBase?: number | undefined;
}

/** The state of {@linkcode multiHeadAttention} between calls: the key-value cache of T steps, initially T = 0. */
export interface MultiHeadAttentionState {
  /** `[B, T, C]`, rotated by their positions if `rotaryBase` is given. */
  readonly key: Tensor;
  /** `[B, T, C]` */
  readonly value: Tensor;
  /** `[B, T]`, 1 for steps that are seen and 0 for hidden ones; absent until a call has a mask. */
  readonly mask?: Tensor | undefined;
  /** `[B, 1]`, present with `mask`: the position of each sequence's next step, the number of steps that are seen. */
  readonly position?: Tensor | undefined;
}

/** Options of {@linkcode multiHeadAttention}. */
export interface MultiHeadAttentionOptions {
  /**
   * Whether a step of x sees no later ones. If false, every step sees all of x, and all of the cache: bidirectional
   * attention, for which a sequence must be given whole. Default: true.
   */
  readonly causal?: boolean | undefined;
  /**
   * For sequences of different lengths in a batch: B lists of T numbers, or a tensor `[B, T]` of them, 1 for steps of x
   * that are seen, and 0 for steps that are hidden, in this call and in later ones. Hidden steps do not count in
   * positions, and their y has no meaning. The numbers of a tensor are not checked, and may change from call to call
   * of a compiled function, as in a batch of `fit`. Default: none are hidden.
   */
  readonly mask?: readonly ArrayLike<number>[] | Tensor | undefined;
}

const action = "attend with heads";
const optionNames: Names<MultiHeadAttentionOptions> = { causal: 0, mask: 0 };

/**
 * Multi-head attention (Vaswani et al.: "Attention Is All You Need", 2017) over the steps of the cache and those of
 * x: with q = Q x, k = K x and v = V x, and q and k rotated by their position if `rotaryBase` is given,
 *
 *     y_i = O concat_h(Σ_{j≤i} softmax_j(q_i·k_j / √(C/H)) v_j)
 *
 * It is causal, unless `causal: false` lets the sum run over all j. The state is then what it always is, the steps
 * that later calls see. A bidirectional encoder starts from the empty state at every call and drops the new one; a
 * model that reads its prompt in both directions continues from it causally. See {@linkcode crossAttention} for
 * attention to another sequence.
 *
 * The cache grows in place if the given state is the newest that shares its memory, and is copied otherwise, so
 * that a state can be continued more than once.
 *
 * @param params see {@linkcode MultiHeadAttentionParams}
 * @param x `[B, T, C]`, T at least 1
 * @param state the state that an earlier call returned, or {@linkcode multiHeadAttentionState}
 * @param options whether later steps are hidden, and a mask of the steps of x, which the state keeps
 * @returns y `[B, T, C]` and the state after the last step
 * @throws {TypeError} on other shapes, tensors of several backends, or an unknown option
 * @throws {RangeError} if the number of heads does not divide C, the size of a head is odd and `rotaryBase` is
 *   given, or a mask has a number other than 0 and 1
 *
 * @example
 * ```ts
 * import { multiHeadAttention, multiHeadAttentionState, presets, tensor, transformer } from "@seqmix/seqmix";
 *
 * const params = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const x = tensor(new Float32Array(2 * 3 * 32).fill(1), [2, 3, 32]);
 * const { y, state } = multiHeadAttention(params, x, multiHeadAttentionState(params, 2));
 * console.log(y.shape, state.key.shape); // [ 2, 3, 32 ] [ 2, 3, 32 ]
 * ```
 *
 * @example Sequences of two and three steps, the shorter one preceded by a hidden step
 * ```ts
 * import { multiHeadAttention, multiHeadAttentionState, presets, tensor, transformer } from "@seqmix/seqmix";
 *
 * const params = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const x = tensor(new Float32Array(2 * 3 * 32).fill(1), [2, 3, 32]);
 * const mask = [[0, 1, 1], [1, 1, 1]];
 * const { state } = multiHeadAttention(params, x, multiHeadAttentionState(params, 2), { mask });
 * console.log(state.mask?.shape, state.position?.shape); // [ 2, 3 ] [ 2, 1 ]
 * ```
 *
 * @example The layer of an encoder: the last step changes the first result
 * ```ts
 * import { multiHeadAttention, multiHeadAttentionState, presets, read, tensor, transformer } from "@seqmix/seqmix";
 *
 * const params = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const encode = (x: number[]) =>
 *   multiHeadAttention(params, tensor(x, [1, 3, 32]), multiHeadAttentionState(params), { causal: false }).y;
 * const x = Array.from({ length: 3 * 32 }, (_, i) => Math.sin(i)), other = x.with(-1, 5);
 * console.log((await read(encode(x)))[0] === (await read(encode(other)))[0]); // false
 * ```
 */
export function multiHeadAttention(
  params: MultiHeadAttentionParams,
  x: Tensor,
  state: MultiHeadAttentionState,
  options?: MultiHeadAttentionOptions,
): { y: Tensor; state: MultiHeadAttentionState } {
  if (options !== undefined) checkNames(action, options, optionNames);
  const { causal = true, mask: given } = options ?? {};
  checkCausal(action, causal);
  checkArguments(params, x, state);
  const [batch, time] = x.shape;
  if (isTensor(given)) checkShape(action, "mask", given, batch, time);
  const mask = isTensor(given) ? given : maskOf(action, given, batch, time);
  return x.backend.scope(() => attend(params, x, state, seenSteps(x, state, mask), causal));
}

/** The same for a causal layer of a model; `seen`, shared by all layers, is null if no step is hidden. */
export function attendWithHeads(
  params: MultiHeadAttentionParams,
  x: Tensor,
  state: MultiHeadAttentionState,
  seen: SeenSteps | null,
): { y: Tensor; state: MultiHeadAttentionState } {
  checkArguments(params, x, state);
  return x.backend.scope(() => attend(params, x, state, seen, true));
}

function checkArguments(params: MultiHeadAttentionParams, x: Tensor, state: MultiHeadAttentionState): void {
  checkShape(action, "params.query", params?.query, "C", "C");
  const channels = params.query.shape[1];
  checkHeads(action, params.heads, channels);
  checkShape(action, "x", x, "B", "T", channels);
  checkShape(action, "state.key", state?.key, x.shape[0], "T", channels);
  checkSameShape(action, "state.value", state.value, shapeOf(state.key));
}

function attend(
  params: MultiHeadAttentionParams,
  x: Tensor,
  state: MultiHeadAttentionState,
  seen: SeenSteps | null,
  causal: boolean,
): { y: Tensor; state: MultiHeadAttentionState } {
  const { heads, rotaryBase } = params;
  const rotated = (t: Tensor) =>
    rotaryBase === undefined
      ? t
      : rotate(t, { heads, position: seen?.positions ?? state.key, base: rotaryBase });
  const query = rotated(linear(x, params.query, params.queryBias));
  const key = appendTime(state.key, rotated(linear(x, params.key, params.keyBias)));
  const value = appendTime(state.value, linear(x, params.value, params.valueBias));
  const mask = seen?.maskOf(key);
  const y = attention(query, key, value, heads, causal ? mask && { mask } : { causal, mask });
  return {
    y: linear(y, params.output, params.outputBias),
    state: seen === null ? { key, value } : { key, value, mask, position: seen.next },
  };
}

/**
 * The state of {@linkcode multiHeadAttention} before the first token: an empty cache.
 *
 * @param params the layer's parameters; the state lives on their backend
 * @param batch B, default 1
 * @param capacity the number of steps to reserve memory for; the cache grows beyond it if necessary
 * @returns a state with T = 0
 * @throws {TypeError} if params are not those of the layer
 * @throws {RangeError} if batch is not an integer of at least 1, or capacity not one of at least 0, or memory is
 *   exhausted
 *
 * @example
 * ```ts
 * import { multiHeadAttentionState, presets, transformer } from "@seqmix/seqmix";
 *
 * const params = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * console.log(multiHeadAttentionState(params, 1, 256).key.shape); // [ 1, 0, 32 ]
 * ```
 */
export function multiHeadAttentionState(
  params: MultiHeadAttentionParams,
  batch = 1,
  capacity = 0,
): MultiHeadAttentionState {
  const action = "make attention state";
  checkInteger(action, "batch", batch, 1);
  checkInteger(action, "capacity", capacity, 0);
  checkShape(action, "params.query", params?.query, "C", "C");
  const [channels] = params.query.shape;
  const backend = engineOf(params.query.backend);
  // The scope frees the key if there is no memory for the value.
  return backend.scope(() => ({
    key: backend.reserveTime(batch, capacity, channels),
    value: backend.reserveTime(batch, capacity, channels),
  }));
}

/** The sizes of {@linkcode multiHeadAttention}, and of the model that it is in. */
export interface MultiHeadAttentionSizes {
  /** C */
  readonly channels: number;
  /** H, which divides C, into even sizes if `rotaryBase` is given. */
  readonly heads: number;
  /** L, the number of blocks of the model; default 1. The outputs of all of them are summed, so they start smaller. */
  readonly layers?: number | undefined;
  /** See {@linkcode MultiHeadAttentionParams}; default: no positions. */
  readonly rotaryBase?: number | undefined;
}

/**
 * The parameters that {@linkcode multiHeadAttention} starts training with, as in `transformer` and GPT-2: weights
 * normal with a deviation of 0.02, those of the output divided by √(2L); no biases.
 *
 * @param sizes `channels` and `heads`, and `layers` and `rotaryBase`
 * @param seed an integer from 0 to 2⁵³ - 1
 * @returns parameters on the reference; `put` moves them
 * @throws {TypeError} if a size is not a number, or not known
 * @throws {RangeError} if a size or the seed is out of range, or memory is exhausted
 *
 * @example
 * ```ts
 * import { multiHeadAttentionInit } from "@seqmix/seqmix";
 *
 * const params = multiHeadAttentionInit({ channels: 32, heads: 4, rotaryBase: 10_000 }, 1);
 * console.log(params.heads, params.query.shape); // 4 [ 32, 32 ]
 * ```
 */
export function multiHeadAttentionInit(
  sizes: MultiHeadAttentionSizes,
  seed: number,
): MultiHeadAttentionParams {
  const action = "initialize attention";
  checkConfig(action, sizes, ["channels", "heads"], ["layers", "rotaryBase"], "sizes");
  const { channels, heads, layers = 1, rotaryBase } = sizes;
  checkInteger(action, "sizes.layers", layers, 1);
  checkHeads(action, heads, channels);
  if (rotaryBase !== undefined) {
    checkRotaryHeads(action, heads, channels);
    checkNumber(action, "sizes.rotaryBase", rotaryBase);
    if (!(rotaryBase > 0)) {
      throw new RangeError(
        `Cannot ${action}: sizes.rotaryBase must be above 0, current value is ${rotaryBase}`,
      );
    }
  }
  return drawn<MultiHeadAttentionParams>(() =>
    multiHeadAttentionStart(randomSource(seed), channels, heads, layers, rotaryBase)
  );
}
