/**
 * Causal multi-head attention with a key-value cache.
 *
 * @module
 */
import { checkInteger, checkSameShape, checkShape } from "../check.ts";
import { engineOf } from "../engine.ts";
import { appendTime } from "../ops/append_time/mod.ts";
import { attention, checkHeads } from "../ops/attention/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import { turn } from "../ops/rotary/mod.ts";
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
}

/**
 * Causal multi-head attention (Vaswani et al.: "Attention Is All You Need", 2017) over the steps of the cache and
 * those of x: with q = Q x, k = K x and v = V x, and q and k rotated by their position if `rotaryBase` is given,
 *
 *     y_i = O concat_h(Σ_{j≤i} softmax_j(q_i·k_j / √(C/H)) v_j)
 *
 * The cache grows in place if the given state is the newest that shares its memory, and is copied otherwise, so
 * that a state can be continued more than once.
 *
 * @param params see {@linkcode MultiHeadAttentionParams}
 * @param x `[B, T, C]`, T at least 1
 * @param state the state that an earlier call returned, or {@linkcode multiHeadAttentionState}
 * @returns y `[B, T, C]` and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of several backends
 * @throws {RangeError} if the number of heads does not divide C, or the size of a head is odd and `rotaryBase` is
 *   given
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
 */
export function multiHeadAttention(
  params: MultiHeadAttentionParams,
  x: Tensor,
  state: MultiHeadAttentionState,
): { y: Tensor; state: MultiHeadAttentionState } {
  const action = "attend with heads";
  checkShape(action, "params.query", params?.query, "C", "C");
  const { heads, rotaryBase } = params;
  const channels = params.query.shape[1];
  checkHeads(action, heads, channels);
  checkShape(action, "x", x, "B", "T", channels);
  checkShape(action, "state.key", state?.key, x.shape[0], "T", channels);
  checkSameShape(action, "state.value", state.value, shapeOf(state.key));
  return x.backend.scope(() => {
    const turned = (t: Tensor) =>
      rotaryBase === undefined ? t : turn(t, { heads, position: state.key, base: rotaryBase });
    const query = turned(linear(x, params.query, params.queryBias));
    const key = appendTime(state.key, turned(linear(x, params.key, params.keyBias)));
    const value = appendTime(state.value, linear(x, params.value, params.valueBias));
    return {
      y: linear(attention(query, key, value, heads), params.output, params.outputBias),
      state: { key, value },
    };
  });
}

/**
 * The state of {@linkcode multiHeadAttention} before the first token: an empty cache.
 *
 * @param params the layer's parameters; the state lives on their backend
 * @param batch B, default 1
 * @param capacity the number of steps to reserve memory for; the cache grows beyond it if necessary
 * @returns a state with T = 0
 * @throws {TypeError} if params are none
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
