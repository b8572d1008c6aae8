/**
 * Attention over a key-value cache or another sequence, causal or not.
 *
 * @module
 */
import { checkInteger, show } from "../../check.ts";
import { checkShapes, compute } from "../../compute.ts";
import { checkNames, type Names } from "../../names.ts";
import { defineOperation } from "../../operation.ts";
import { shapeOf } from "../../tracked_shape.ts";
import type { Tensor } from "../../tensor.ts";

const action = "attend";

/** Options of {@linkcode attention}. */
export interface AttentionOptions {
  /** Whether queries see no later keys. If false, every query sees all keys, and T may exceed S. Default: true. */
  readonly causal?: boolean | undefined;
  /** `[B, S]`, 0 for keys that are hidden from all queries, else 1. Default: none are hidden. */
  readonly mask?: Tensor | undefined;
}

const none: AttentionOptions = {};
const optionNames: Names<AttentionOptions> = { causal: 0, mask: 0 };

/**
 * Scaled dot-product attention, head by head: `y_i = Σ_j softmax_j(q_i·k_j / √N) v_j` over the keys j that query i
 * sees (Vaswani et al.: "Attention Is All You Need", 2017).
 *
 * By default it is causal: the queries are the last T of the S steps, so query i sees the keys 0 to S - T + i. T = S
 * is the usual causal triangle, T = 1 a step of decoding. With `causal: false` every query sees all keys, those of the
 * same sequence (bidirectional attention) or of another one of any length (cross-attention).
 *
 * @param query `[B, T, C]`
 * @param key `[B, S, C]`; S is at least T if causal
 * @param value `[B, S, C]`
 * @param heads H, which divides C; head h has the channels from h·C/H on
 * @param options whether later keys are hidden, and a mask of the keys, for sequences of different lengths in a batch
 * @returns y `[B, T, C]`, 0 where a query sees no key
 * @throws {TypeError} on other shapes, tensors of two backends, or an unknown option
 * @throws {RangeError} if the heads don't divide C, or there are more queries than keys although it is causal
 *
 * @example
 * ```ts
 * import { attention, read, tensor } from "@seqmix/seqmix";
 *
 * const key = tensor([0, 0], [1, 2, 1]), value = tensor([1, 3], [1, 2, 1]);
 * console.log(await read(attention(tensor([5], [1, 1, 1]), key, value, 1))); // Float32Array [ 2 ]
 * ```
 *
 * @example A hidden key
 * ```ts
 * import { attention, read, tensor } from "@seqmix/seqmix";
 *
 * const key = tensor([0, 0], [1, 2, 1]), value = tensor([1, 3], [1, 2, 1]), mask = tensor([0, 1], [1, 2]);
 * console.log(await read(attention(tensor([5], [1, 1, 1]), key, value, 1, { mask }))); // Float32Array [ 3 ]
 * ```
 *
 * @example Two queries and one key of another sequence
 * ```ts
 * import { attention, read, tensor } from "@seqmix/seqmix";
 *
 * const query = tensor([5, 6], [1, 2, 1]), key = tensor([0], [1, 1, 1]), value = tensor([1], [1, 1, 1]);
 * console.log(await read(attention(query, key, value, 1, { causal: false }))); // Float32Array [ 1, 1 ]
 * ```
 */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  heads: number,
  options?: AttentionOptions,
): Tensor {
  if (options !== undefined) checkNames(action, options, optionNames);
  const { causal = true, mask } = options ?? none;
  checkCausal(action, causal);
  checkShapes(attentionOp, [query, key, value, mask]);
  const [, time, channels] = query.shape;
  checkHeads(action, heads, channels);
  if (causal && time > shapeOf(key)[1]) {
    throw new RangeError(
      `Cannot ${action}: queries must be no more than keys, current T is ${time} and S is ${key.shape[1]}`,
    );
  }
  return compute(attentionOp, [query, key, value, mask], [heads, Number(causal)])[0];
}

/** Checks that the option is a boolean. */
export function checkCausal(action: string, causal: boolean): void {
  if (typeof causal !== "boolean") {
    throw new TypeError(`Cannot ${action}: causal must be true or false, current value is ${show(causal)}`);
  }
}

/** Checks that the heads divide the channels. */
export function checkHeads(action: string, heads: number, channels: number): void {
  checkInteger(action, "heads", heads, 1);
  if (channels % heads !== 0) {
    throw new RangeError(
      `Cannot ${action}: heads must divide C, current heads is ${heads} and C is ${channels}`,
    );
  }
}

/**
 * With the weights p of a query, recomputed from q and k: gv_j = Σ_i p_ij gy_i and, with
 * d_ij = p_ij (gy_i·v_j - gy_i·y_i) / √N: gq_i = Σ_j d_ij k_j, gk_j = Σ_i d_ij q_i. Nothing of size T×T is stored.
 */
export const attentionOp = defineOperation({
  name: "attention",
  action,
  inputs: ["query: B T C", "key: B S|K C", "value: B S|L C", "mask?: B S|M"],
  outputs: ["y: B T C"],
  sizes: ["B", "T", "S", "K", "L", "M", "C"],
  constants: ["heads", "causal"],
  gradient: { needs: ["query", "key", "value", "mask", "y"], of: ["query", "key", "value"] },
  example: { C: 14, heads: 7, causal: 1, mask: (x) => Number(x < 1) },
});
