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
 * For each channel the mean of all values so far, weighted by e^key, by a decay w with distance, and with a bonus u
 * for the current step:
 *
 *     y_t = (Σ_{i<t} e^{(t-1-i)·w + k_i} v_i + e^{u + k_t} v_t) / (Σ_{i<t} e^{(t-1-i)·w + k_i} + e^{u + k_t})
 *
 * (Peng et al.: "RWKV: Reinventing RNNs for the Transformer Era", 2023, equation 14.) The sums are the state, held at
 * a scale e^{q + n·w} of their own so that no key overflows: with rows a, b, q, n, the numerator is a·e^{q + n·w} and the
 * denominator b·e^{q + n·w}, n steps after the key q that last set the largest exponent.
 *
 * @param params decay w `[C]`, below 0 ({@linkcode negativeExp} of the raw `time_decay`; -Infinity forgets all but the step
 *   before), and bonus u `[C]`
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
 * console.log(await read(y)); // Float32Array [ 1, 2 ]
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
 * The state before the first step: nothing summed, at a scale below every key, (0, 0, -1e38, 0).
 *
 * @param batch B
 * @param channels C
 * @param backend where it lives; default: the reference
 * @returns a state `[B, 4, C]`
 * @throws {TypeError} if a size is not a number, or backend is none
 * @throws {RangeError} if a size is not an integer of at least 1, or there is no room
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
 * The combine backwards. At each step, with τ the larger of the past's exponent p and u + k, D the denominator at that
 * scale, r = gy/D, and the adjoint (gp, ga, gb) of what comes later, from (-1e38, 0, 0) on:
 *
 *     e₁ = r·e^{u + k - τ};  e₂ = e^{k + gp};  gk = e₁(v - y) + e₂(ga·v + gb);  gv = e₁ + e₂·ga
 *     gu += e₁(v - y);  gw += e^{w + p + gp}(a·ga + b·gb), of the state before the step
 *
 * and the leaf (-τ, r, -r·y) is folded into the adjoint. A state counts through a·e^{q + n·w} and b·e^{q + n·w}
 * alone, so its four rows get the partials of those; which branch a maximum takes is constant.
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
  // Few steps, and so many that time is split into chunks.
  example: { T: [5, 300], decay: (x) => -Math.exp(x), state: (x) => 0.5 + Math.abs(x) },
});
