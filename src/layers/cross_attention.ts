/**
 * Multi-head attention to another sequence.
 *
 * @module
 */
import { checkSameShape, checkShape, show } from "../check.ts";
import { engineOf } from "../engine.ts";
import { maskOf } from "../mask.ts";
import { checkNames, type Names } from "../names.ts";
import { attention, checkHeads } from "../ops/attention/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import type { Tensor } from "../tensor.ts";
import { shapeOf } from "../tracked_shape.ts";
import type { MultiHeadAttentionParams } from "./multi_head_attention.ts";

/** The state of {@linkcode crossAttention}: what it sees of the context. No step changes it. */
export interface CrossAttentionState {
  /** `[B, S, C]` */
  readonly key: Tensor;
  /** `[B, S, C]` */
  readonly value: Tensor;
  /** `[B, S]`, 1 for steps of the context that are seen and 0 for hidden ones; absent if none are hidden. */
  readonly mask?: Tensor | undefined;
}

/** Options of {@linkcode crossAttentionState}. */
export interface CrossAttentionStateOptions {
  /**
   * For contexts of different lengths in a batch: B lists of S numbers, 1 for steps that are seen and 0 for hidden
   * ones. Default: none are hidden.
   */
  readonly mask?: readonly ArrayLike<number>[] | undefined;
}

const action = "attend to context";
const stateAction = "make cross-attention state";
const optionNames: Names<CrossAttentionStateOptions> = { mask: 0 };

/**
 * Multi-head attention of x to a context, such as the output of an encoder (Vaswani et al.: "Attention Is All You
 * Need", 2017). Every step of x sees all S steps of the context, and no others: with q = Q x,
 *
 *     y_i = O concat_h(Σ_j softmax_j(q_i·k_j / √(C/H)) v_j)
 *
 * where the keys k = K context and values v = V context were computed once by {@linkcode crossAttentionState}.
 * Positions in two sequences have no distance, so there are no rotary positions.
 *
 * The state is returned as it is, not a copy. A loop that frees the state of each step once it has the next one
 * must therefore keep this one apart, as the example does.
 *
 * @param params those of {@linkcode multiHeadAttention}, without `rotaryBase`
 * @param x `[B, T, C]`; T may exceed S
 * @param state {@linkcode crossAttentionState} of the context
 * @returns y `[B, T, C]`, the output bias or 0 where all of the context is hidden; and the given state
 * @throws {TypeError} on other shapes, tensors of several backends, or a `rotaryBase`
 * @throws {RangeError} if the number of heads does not divide C
 *
 * @example Two steps of a decoder that see three steps of an encoder
 * ```ts
 * import { crossAttention, crossAttentionState, presets, tensor, transformer } from "@seqmix/seqmix";
 *
 * const { rotaryBase: _, ...params } = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const encoded = tensor(new Float32Array(2 * 3 * 32).fill(1), [2, 3, 32]);
 * const context = crossAttentionState(params, encoded, { mask: [[1, 1, 0], [1, 1, 1]] });
 * for (const input of [1, 2]) {
 *   const x = tensor(new Float32Array(2 * 32).fill(input), [2, 1, 32]);
 *   const { y } = crossAttention(params, x, context);
 *   console.log(y.shape); // [ 2, 1, 32 ]
 * }
 * ```
 */
export function crossAttention(
  params: MultiHeadAttentionParams,
  x: Tensor,
  state: CrossAttentionState,
): { y: Tensor; state: CrossAttentionState } {
  checkParams(action, params);
  const { heads, query, output } = params, channels = query.shape[1];
  checkHeads(action, heads, channels);
  checkShape(action, "x", x, "B", "T", channels);
  checkShape(action, "state.key", state?.key, x.shape[0], "S", channels);
  const { key, value, mask } = state;
  checkSameShape(action, "state.value", value, shapeOf(key));
  if (mask !== undefined) checkShape(action, "state.mask", mask, x.shape[0], shapeOf(key)[1]);
  const y = x.backend.scope(() => {
    const queries = linear(x, query, params.queryBias);
    const seen = attention(queries, key, value, heads, { causal: false, mask });
    return linear(seen, output, params.outputBias);
  });
  return { y, state };
}

/**
 * The state of {@linkcode crossAttention}: the keys and values of a context, computed once for all steps of x.
 *
 * @param params the layer's parameters
 * @param context `[B, S, D]`; D is C, unless the layer's `key` and `value` are `[C, D]`
 * @param options a mask of the steps of the context
 * @returns the state, through which gradients reach the context
 * @throws {TypeError} on other shapes, tensors of several backends, a `rotaryBase`, or an unknown option
 * @throws {RangeError} if a mask has a number other than 0 and 1
 *
 * @example
 * ```ts
 * import { crossAttentionState, presets, tensor, transformer } from "@seqmix/seqmix";
 *
 * const { rotaryBase: _, ...params } = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const encoded = tensor(new Float32Array(5 * 32).fill(1), [1, 5, 32]);
 * console.log(crossAttentionState(params, encoded).key.shape); // [ 1, 5, 32 ]
 * ```
 */
export function crossAttentionState(
  params: MultiHeadAttentionParams,
  context: Tensor,
  options?: CrossAttentionStateOptions,
): CrossAttentionState {
  if (options !== undefined) checkNames(stateAction, options, optionNames);
  checkParams(stateAction, params);
  const channels = params.query.shape[1];
  checkShape(stateAction, "params.key", params.key, channels, "D");
  checkSameShape(stateAction, "params.value", params.value, shapeOf(params.key));
  checkShape(stateAction, "context", context, "B", "S", params.key.shape[1]);
  const [batch, time] = context.shape;
  const mask = maskOf(stateAction, options?.mask, batch, time);
  const backend = engineOf(context.backend);
  return backend.scope(() => {
    const key = linear(context, params.key, params.keyBias);
    const value = linear(context, params.value, params.valueBias);
    if (mask === null) return { key, value };
    const shown = new Float32Array(batch * time);
    mask.rows.forEach((row, b) => row.forEach((t) => shown[b * time + t] = 1));
    return { key, value, mask: backend.upload(shown, [batch, time]) };
  });
}

function checkParams(action: string, params: MultiHeadAttentionParams): void {
  checkShape(action, "params.query", params?.query, "C", "C");
  if (params.rotaryBase !== undefined) {
    throw new TypeError(
      `Cannot ${action}: params.rotaryBase must be undefined, current value is ${show(params.rotaryBase)}`,
    );
  }
}
