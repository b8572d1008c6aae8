/**
 * The WKV scan of RWKV-4: an attention whose weights decay with distance, as a recurrence of constant size.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import { checkBackend, checkInteger, sharedBackend } from "../../check.ts";
import { checkShapes } from "../../compute.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import { reference } from "../../backends/reference/mod.ts";
import type { Backend, Tensor } from "../../tensor.ts";
import { sizeOf } from "../../tree.ts";

/**
 * For each channel, the mean of all values so far, weighted by e^key, with a decay w over distance and a bonus u for
 * the current step:
 *
 *     y_t = (Σ_{i<t} e^{(t-1-i)·w + k_i} v_i + e^{u + k_t} v_t) / (Σ_{i<t} e^{(t-1-i)·w + k_i} + e^{u + k_t})
 *
 * (Peng et al.: "RWKV: Reinventing RNNs for the Transformer Era", 2023, equation 14.) The state
 * consists of the two sums and their scale, so that no key overflows: with rows a, b, q, n, the numerator is
 * a·e^{q + n·w} and the denominator b·e^{q + n·w}, where q is the key that last set the largest exponent, n steps ago.
 *
 * @param params decay w `[C]`, at most 0 ({@linkcode negativeExp} of the raw `time_decay`; with -Infinity only the
 *   previous and the current step count, with 0 distance does not matter), and bonus u `[C]`
 * @param x key and value `[B, T, C]`
 * @param state `[B, 4, C]`, from {@linkcode wkvState} or an earlier call
 * @returns y `[B, T, C]` and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { read, tensor, wkv, wkvState } from "@seqmix/seqmix";
 *
 * const params = { decay: tensor([-1], [1]), bonus: tensor([0], [1]) };
 * const x = { key: tensor([0, 0], [1, 2, 1]), value: tensor([1, 3], [1, 2, 1]) };
 * const { y } = wkv(params, x, wkvState(1, 1));
 * console.log(await read(y)); // Float32Array(2) [ 1, 2 ]
 * ```
 */
export function wkv(
  params: { readonly decay: Tensor; readonly bonus: Tensor },
  x: { readonly key: Tensor; readonly value: Tensor },
  state: Tensor,
): { y: Tensor; state: Tensor } {
  const { decay, bonus } = params;
  const { key, value } = x;
  const inputs = [decay, bonus, key, value, state], names = "key, value, decay, bonus, state";
  checkShapes(wkvOp, inputs);
  const backend = sharedBackend(wkvOp.action, names, key, value, decay, bonus, state);
  const [y, nextState] = engineOf(backend).run(wkvOp, inputs, []);
  return { y, state: nextState };
}

/**
 * The state before the first step: sums of 0, at a scale below every key, (0, 0, -1e38, 0).
 *
 * @param batch B
 * @param channels C
 * @param backend the backend of the state; default: the shared reference
 * @returns a state `[B, 4, C]`
 * @throws {TypeError} if a size is not a number, or backend is not a backend
 * @throws {RangeError} if a size is not an integer of at least 1, or memory is exhausted
 *
 * @example
 * ```ts
 * import { read, wkvState } from "@seqmix/seqmix";
 *
 * console.log(await read(wkvState(1, 1))); // 0, 0, about -1e38, 0
 * ```
 */
export function wkvState(batch: number, channels: number, backend: Backend = reference): Tensor {
  checkInteger("make WKV state", "batch", batch, 1);
  checkInteger("make WKV state", "channels", channels, 1);
  checkBackend("make WKV state", backend);
  const shape = [batch, 4, channels];
  const data = hostArray("allocate tensor", Float32Array, sizeOf(shape), backend.memory().bytes);
  for (let b = 0; b < batch; b++) data.fill(-1e38, (4 * b + 2) * channels, (4 * b + 3) * channels);
  return engineOf(backend).upload(data, shape);
}

/**
 * The adjoint of the recurrence. At each step, with τ the larger of the past's exponent p and u + k, D the denominator
 * at that scale, r = gy/D, and the adjoint (gp, ga, gb) of later steps, initially (-1e38, 0, 0):
 *
 *     e₁ = r·e^{u + k - τ};  e₂ = e^{k + gp};  gk = e₁(v - y) + e₂(ga·v + gb);  gv = e₁ + e₂·ga
 *     gu += e₁(v - y);  gw += e^{w + p + gp}(a·ga + b·gb), of the state before the step
 *
 * and the step's own contribution (-τ, r, -r·y) is then added to the adjoint. A state matters only through a·e^{q +
 * n·w} and b·e^{q + n·w}, so its four rows have the partial derivatives of those; the branch that a maximum takes is
 * treated as constant.
 */
export const wkvOp = defineOperation({
  name: "wkv",
  action: "scan WKV",
  inputs: ["decay: C", "bonus: C", "key: B T C", "value: B T C", "state: B 4 C"],
  outputs: ["y: B T C", "nextState: B 4 C"],
  sizes: ["B", "T", "C"],
  gradient: {
    needs: ["decay", "bonus", "key", "value", "state", "y"],
    of: ["decay", "bonus", "key", "value", "state"],
  },
  // Few steps, and enough for time to be split into chunks.
  example: { T: [5, 300], decay: (x) => -Math.exp(x), state: (x) => 0.5 + Math.abs(x) },
});
