/**
 * An LSTM layer.
 *
 * @module
 */
import { checkInteger, checkShape } from "../check.ts";
import { checkConfig, drawn } from "../initialize.ts";
import { linear } from "../ops/linear/mod.ts";
import { lstmRecurrence } from "../ops/lstm/mod.ts";
import { randomSource } from "../random.ts";
import type { Tensor } from "../tensor.ts";
import { zeros } from "../transfer.ts";
import { lstmStart } from "./starts.ts";

/** The parameters of {@linkcode lstm}, with rows in the order of the gates i, f, g, o. */
export interface LstmParams {
  /** `[4C, I]` */
  readonly inputWeight: Tensor;
  /** `[4C, C]` */
  readonly hiddenWeight: Tensor;
  /** `[4C]`, the sum of PyTorch's two biases. */
  readonly bias: Tensor;
}

/** The state of {@linkcode lstm} between calls. */
export interface LstmState {
  /** `[B, C]`, the last step's output. */
  readonly hidden: Tensor;
  /** `[B, C]` */
  readonly cell: Tensor;
}

/**
 * A layer of long short-term memory (Hochreiter, Schmidhuber, 1997; PyTorch's `LSTM` with its two biases summed):
 *
 *     i, f, g, o = W x_t + U h_{t-1} + b
 *     c_t = σ(f)·c_{t-1} + σ(i)·tanh(g)
 *     h_t = σ(o)·tanh(c_t)
 *
 * @param params see {@linkcode LstmParams}
 * @param x `[B, T, I]`
 * @param state the state that an earlier call returned, or {@linkcode lstmState}
 * @returns y `[B, T, C]`, the h of all steps, and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of several backends
 *
 * @example
 * ```ts
 * import { lstm, lstmModel, lstmState, presets, tensor } from "@seqmix/seqmix";
 *
 * const params = lstmModel.init(presets.matched.lstm, 1).layers[0];
 * const x = tensor(new Float32Array(2 * 3 * 38).fill(1), [2, 3, 38]);
 * const { y, state } = lstm(params, x, lstmState(params, 2));
 * console.log(y.shape, state.cell.shape); // [ 2, 3, 38 ] [ 2, 38 ]
 * ```
 */
export function lstm(params: LstmParams, x: Tensor, state: LstmState): { y: Tensor; state: LstmState } {
  const action = "run LSTM";
  checkShape(action, "params.inputWeight", params?.inputWeight, "4C", "I");
  checkShape(action, "params.hiddenWeight", params.hiddenWeight, params.inputWeight.shape[0], "C");
  checkShape(action, "params.bias", params.bias, params.inputWeight.shape[0]);
  const channels = params.hiddenWeight.shape[1];
  checkShape(action, "x", x, "B", "T", params.inputWeight.shape[1]);
  checkShape(action, "state.hidden", state?.hidden, x.shape[0], channels);
  checkShape(action, "state.cell", state.cell, x.shape[0], channels);
  return x.backend.scope(() =>
    lstmRecurrence(linear(x, params.inputWeight, params.bias), params.hiddenWeight, state)
  );
}

/**
 * The state of {@linkcode lstm} before the first token: zeros.
 *
 * @param params the layer's parameters; the state lives on their backend
 * @param batch B, default 1
 * @returns a state
 * @throws {TypeError} if params are not those of the layer
 * @throws {RangeError} if batch is not an integer of at least 1, or memory is exhausted
 *
 * @example
 * ```ts
 * import { lstmModel, lstmState, presets } from "@seqmix/seqmix";
 *
 * const params = lstmModel.init(presets.matched.lstm, 1).layers[0];
 * console.log(lstmState(params).hidden.shape); // [ 1, 38 ]
 * ```
 */
export function lstmState(params: LstmParams, batch = 1): LstmState {
  const action = "make LSTM state";
  checkInteger(action, "batch", batch, 1);
  checkShape(action, "params.hiddenWeight", params?.hiddenWeight, "4C", "C");
  const { shape: [, channels], backend } = params.hiddenWeight;
  const zero = () => zeros([batch, channels], backend);
  return backend.scope(() => ({ hidden: zero(), cell: zero() }));
}

/** The sizes of an LSTM layer. */
export interface LstmSizes {
  /** I */
  readonly inputs: number;
  /** C */
  readonly channels: number;
}

/**
 * The parameters that {@linkcode lstm} starts training with, as in `lstmModel`: weights uniform within ±1/√C (PyTorch's
 * `nn.LSTM`), biases 0, those of the forget gate 1 (Jozefowicz et al., 2015).
 *
 * @param sizes `inputs` and `channels`
 * @param seed an integer from 0 to 2⁵³ - 1
 * @returns parameters on the reference; `put` moves them
 * @throws {TypeError} if a size is not a number, or not known
 * @throws {RangeError} if a size or the seed is out of range, or memory is exhausted
 *
 * @example
 * ```ts
 * import { lstmInit } from "@seqmix/seqmix";
 *
 * const params = lstmInit({ inputs: 3, channels: 8 }, 1);
 * console.log(params.inputWeight.shape, params.hiddenWeight.shape); // [ 32, 3 ] [ 32, 8 ]
 * ```
 */
export function lstmInit(sizes: LstmSizes, seed: number): LstmParams {
  checkConfig("initialize LSTM layer", sizes, ["inputs", "channels"], [], "sizes");
  return drawn<LstmParams>(() => lstmStart(randomSource(seed), sizes.inputs, sizes.channels));
}
