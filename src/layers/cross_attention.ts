/**
 * Multi-head attention to another sequence.
 *
 * @module
 */
import { checkSameShape, checkShape, isTensor, show } from "../check.ts";
import { engineOf } from "../engine.ts";
import { maskOf } from "../mask.ts";
import { checkNames, type Names } from "../names.ts";
import { attention, checkHeads } from "../ops/attention/mod.ts";
import { reshape } from "../ops/axes/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import type { Tensor } from "../tensor.ts";
import { shapeOf } from "../tracked_shape.ts";
import type { MultiHeadAttentionParams } from "./multi_head_attention.ts";

/** What {@linkcode crossAttention} sees of a context. */
export interface CrossAttentionContext {
  /** `[B, S, C]` */
  readonly key: Tensor;
  /** `[B, S, C]` */
  readonly value: Tensor;
  /** `[B, S]`, 1 for steps that are seen and 0 for hidden ones; absent if none are hidden. */
  readonly mask?: Tensor | undefined;
}

/** Options of {@linkcode crossAttentionContext}. */
export interface CrossAttentionContextOptions {
  /**
   * For contexts of different lengths in a batch: B lists of S numbers, or a tensor `[B, S]` of them, 1 for steps that
   * are seen and 0 for hidden ones. The numbers of a tensor are not checked. Default: none are hidden.
   */
  readonly mask?: readonly ArrayLike<number>[] | Tensor | undefined;
}

const action = "attend to context";
const contextAction = "make context of attention";
const optionNames: Names<CrossAttentionContextOptions> = { mask: 0 };

/**
 * Multi-head attention of x to a context, such as the output of an encoder (Vaswani et al.: "Attention Is All You
 * Need", 2017). Every step of x sees all S steps of the context, and no others: with q = Q x,
 *
 *     y_i = O concat_h(Σ_j softmax_j(q_i·k_j / √(C/H)) v_j)
 *
 * where the keys k = K encoded and values v = V encoded were computed once by {@linkcode crossAttentionContext}.
 * Positions in two sequences have no distance, so there are no rotary positions.
 *
 * Nothing is carried from step to step, so there is no state: a decoder takes the context beside its state, or among
 * its parameters.
 *
 * @param params those of {@linkcode multiHeadAttention}, without `rotaryBase`
 * @param x `[B, T, C]`; T may exceed S
 * @param context {@linkcode crossAttentionContext} of the encoded sequence
 * @returns y `[B, T, C]`; the output bias, or 0, where all of the context is hidden
 * @throws {TypeError} on other shapes, tensors of several backends, or a `rotaryBase`
 * @throws {RangeError} if the number of heads does not divide C
 *
 * @example Two steps of a decoder that see three steps of an encoder
 * ```ts
 * import { crossAttention, crossAttentionContext, presets, tensor, transformer } from "@seqmix/seqmix";
 *
 * const { rotaryBase: _, ...params } = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const encoded = tensor(new Float32Array(2 * 3 * 32).fill(1), [2, 3, 32]);
 * const context = crossAttentionContext(params, encoded, { mask: [[1, 1, 0], [1, 1, 1]] });
 * for (const input of [1, 2]) {
 *   const x = tensor(new Float32Array(2 * 32).fill(input), [2, 1, 32]);
 *   console.log(crossAttention(params, x, context).shape); // [ 2, 1, 32 ]
 * }
 * ```
 */
export function crossAttention(
  params: MultiHeadAttentionParams,
  x: Tensor,
  context: CrossAttentionContext,
): Tensor {
  checkParams(action, params);
  const { heads, query, output } = params, channels = query.shape[1];
  checkHeads(action, heads, channels);
  checkShape(action, "x", x, "B", "T", channels);
  checkShape(action, "context.key", context?.key, x.shape[0], "S", channels);
  const { key, value, mask } = context;
  checkSameShape(action, "context.value", value, shapeOf(key));
  if (mask !== undefined) checkShape(action, "context.mask", mask, x.shape[0], shapeOf(key)[1]);
  return x.backend.scope(() => {
    const queries = linear(x, query, params.queryBias);
    const seen = attention(queries, key, value, heads, { causal: false, mask });
    return linear(seen, output, params.outputBias);
  });
}

/**
 * The context of {@linkcode crossAttention}: the keys and values of a sequence, computed once for all steps of x.
 *
 * @param params the layer's parameters
 * @param encoded `[B, S, D]`; D is C, unless the layer's `key` and `value` are `[C, D]`
 * @param options a mask of the steps of the sequence
 * @returns the keys and values, through which gradients reach the sequence
 * @throws {TypeError} on other shapes, tensors of several backends, a `rotaryBase`, or an unknown option
 * @throws {RangeError} if a mask has a number other than 0 and 1
 *
 * @example
 * ```ts
 * import { crossAttentionContext, presets, tensor, transformer } from "@seqmix/seqmix";
 *
 * const { rotaryBase: _, ...params } = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
 * const encoded = tensor(new Float32Array(5 * 32).fill(1), [1, 5, 32]);
 * console.log(crossAttentionContext(params, encoded).key.shape); // [ 1, 5, 32 ]
 * ```
 */
export function crossAttentionContext(
  params: MultiHeadAttentionParams,
  encoded: Tensor,
  options?: CrossAttentionContextOptions,
): CrossAttentionContext {
  if (options !== undefined) checkNames(contextAction, options, optionNames);
  checkParams(contextAction, params);
  const channels = params.query.shape[1];
  checkShape(contextAction, "params.key", params.key, channels, "D");
  checkSameShape(contextAction, "params.value", params.value, shapeOf(params.key));
  checkShape(contextAction, "encoded", encoded, "B", "S", params.key.shape[1]);
  const [batch, time] = encoded.shape;
  const given = options?.mask;
  if (isTensor(given)) checkShape(contextAction, "mask", given, batch, time);
  const mask = isTensor(given) ? given : maskOf(contextAction, given, batch, time);
  const backend = engineOf(encoded.backend);
  return backend.scope(() => {
    const key = linear(encoded, params.key, params.keyBias);
    const value = linear(encoded, params.value, params.valueBias);
    if (mask === null) return { key, value };
    // A copy, since the context may be freed before the caller's mask.
    if (isTensor(mask)) return { key, value, mask: reshape(mask, mask.shape) };
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
