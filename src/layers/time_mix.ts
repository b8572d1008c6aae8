/**
 * RWKV-4's time-mix: the layer that mixes information over time.
 *
 * @module
 */
import { checkInteger, checkShape, sharedBackend, wider } from "../check.ts";
import { checkConfig, drawn } from "../initialize.ts";
import { mix, multiply, negativeExp, sigmoid } from "../ops/elementwise/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import { lastStep, shiftTime } from "../ops/shift_time/mod.ts";
import { wkv, wkvState } from "../ops/wkv/mod.ts";
import { randomSource } from "../random.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { zeros } from "../transfer.ts";
import { checkPlace, timeMixStart } from "./starts.ts";

const action = "mix time";

/** The parameters of {@linkcode timeMix}. */
export interface TimeMixParams {
  /** `[C]`, the share of the current step in the input of the keys. */
  readonly mixK: Tensor;
  /** `[C]`, the share of the current step in the input of the values. */
  readonly mixV: Tensor;
  /** `[C]`, the share of the current step in the input of the gate. */
  readonly mixR: Tensor;
  /** `[C]`, the raw `time_decay`: the decay is w = -e^decay. */
  readonly decay: Tensor;
  /** `[C]`, `time_first`: added to the current step's key. */
  readonly bonus: Tensor;
  /** `[C, C]` */
  readonly key: Tensor;
  /** `[C, C]` */
  readonly value: Tensor;
  /** `[C, C]` */
  readonly receptance: Tensor;
  /** `[C, C]` */
  readonly output: Tensor;
}

/** The state of {@linkcode timeMix} between calls. */
export interface TimeMixState {
  /** `[B, C]`, the last step's input. */
  readonly shift: Tensor;
  /** `[B, 4, C]`, see {@linkcode wkv}. */
  readonly wkv: Tensor;
}

/**
 * RWKV-4's time-mix (Peng et al.: "RWKV: Reinventing RNNs for the Transformer Era", 2023, equations 11 to 15): with x'
 * the mix of each step and the one before it,
 *
 *     y = O (σ(R x'_r) · wkv(K x'_k, V x'_v))
 *
 * @param params see {@linkcode TimeMixParams}
 * @param x `[B, T, C]`, T at least 1
 * @param state the state that an earlier call returned, or {@linkcode timeMixState}
 * @returns y `[B, T, C]` and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of several backends
 * @throws {RangeError} if T is 0
 *
 * @example
 * ```ts
 * import { presets, rwkv, tensor, timeMix, timeMixState } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1).blocks[0].timeMix;
 * const x = tensor(new Float32Array(2 * 3 * 32).fill(1), [2, 3, 32]);
 * const { y, state } = timeMix(params, x, timeMixState(params, 2));
 * console.log(y.shape, state.wkv.shape); // [ 2, 3, 32 ] [ 2, 4, 32 ]
 * ```
 */
export function timeMix(
  params: TimeMixParams,
  x: Tensor,
  state: TimeMixState,
): { y: Tensor; state: TimeMixState } {
  return checkTimeMix(params, x, state).scope(() => {
    const before = shiftTime(x, state.shift);
    const key = linear(mix(x, before, params.mixK), params.key);
    const value = linear(mix(x, before, params.mixV), params.value);
    const gate = sigmoid(linear(mix(x, before, params.mixR), params.receptance));
    const decay = negativeExp(params.decay);
    const scan = wkv({ decay, bonus: params.bonus }, { key, value }, state.wkv);
    return {
      y: linear(multiply(gate, scan.y), params.output),
      state: { shift: lastStep(x), wkv: scan.state },
    };
  });
}

/** Checks the arguments of {@linkcode timeMix}; returns the backend on which it runs. */
function checkTimeMix(params: TimeMixParams, x: Tensor, state: TimeMixState): Backend {
  return wider(checkTimeMixParams(params, x), checkTimeMixState(params, x, state));
}

/** Checks the parameters of {@linkcode timeMix}; returns the backend for them and x. */
export function checkTimeMixParams(params: TimeMixParams, x: Tensor): Backend {
  checkShape(action, "params.decay", params?.decay, "C");
  const [channels] = params.decay.shape;
  checkShape(action, "params.mixK", params.mixK, channels);
  checkShape(action, "params.mixV", params.mixV, channels);
  checkShape(action, "params.mixR", params.mixR, channels);
  checkShape(action, "params.bonus", params.bonus, channels);
  checkShape(action, "params.key", params.key, channels, channels);
  checkShape(action, "params.value", params.value, channels, channels);
  checkShape(action, "params.receptance", params.receptance, channels, channels);
  checkShape(action, "params.output", params.output, channels, channels);
  checkShape(action, "x", x, "B", "T", channels);
  const { mixK, mixV, mixR, decay, bonus, key, value, receptance, output } = params;
  const mixes = "x, params.mixK, params.mixV, params.mixR, params.decay";
  const a = sharedBackend(action, mixes, x, mixK, mixV, mixR, decay);
  const b = sharedBackend(action, "x, params.bonus, params.key, params.value", x, bonus, key, value);
  const c = sharedBackend(action, "x, params.receptance, params.output", x, receptance, output);
  return wider(wider(a, b), c);
}

/**
 * Checks the other arguments of {@linkcode timeMix}, given checked parameters; returns the backend for x and the
 * state.
 */
export function checkTimeMixState({ decay }: TimeMixParams, x: Tensor, state: TimeMixState): Backend {
  const [channels] = decay.shape;
  checkShape(action, "x", x, "B", "T", channels);
  checkInteger(action, "T", x.shape[1], 1);
  checkShape(action, "state.shift", state?.shift, x.shape[0], channels);
  checkShape(action, "state.wkv", state.wkv, x.shape[0], 4, channels);
  return sharedBackend(action, "x, state.shift, state.wkv", x, state.shift, state.wkv);
}

/**
 * The state of {@linkcode timeMix} before the first token.
 *
 * @param params the layer's parameters; the state lives on their backend
 * @param batch B, default 1
 * @returns a state: zeros for the previous step, and {@linkcode wkvState}
 * @throws {TypeError} if params are not those of the layer
 * @throws {RangeError} if batch is not an integer of at least 1, or memory is exhausted
 *
 * @example
 * ```ts
 * import { presets, rwkv, timeMixState } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1).blocks[0].timeMix;
 * console.log(timeMixState(params).wkv.shape); // [ 1, 4, 32 ]
 * ```
 */
export function timeMixState(params: TimeMixParams, batch = 1): TimeMixState {
  const action = "make time-mix state";
  checkInteger(action, "batch", batch, 1);
  checkShape(action, "params.decay", params?.decay, "C");
  const [channels] = params.decay.shape;
  const { backend } = params.decay;
  return backend.scope(() => ({
    shift: zeros([batch, channels], backend),
    wkv: wkvState(batch, channels, backend),
  }));
}

/** The sizes of a time-mix, and its place in a model. */
export interface TimeMixSizes {
  /** C */
  readonly channels: number;
  /** The index of its block, from 0; default 0. Later blocks remember longer. */
  readonly layer?: number | undefined;
  /** The number of blocks; default 1. */
  readonly layers?: number | undefined;
}

/**
 * The parameters that {@linkcode timeMix} starts training with (BlinkDL/RWKV-LM, `RWKV-v4neo/src/model.py`), as in
 * `rwkv`. With r = layer / (layers - 1) and s = 1 - layer / layers, for channel i of C:
 *
 *     mixK = (i/C)^s;  mixV = mixK + 0.3 r;  mixR = (i/C)^(s/2)
 *     decay = -5 + 8 (i/(C - 1))^(0.7 + 1.3 r);  bonus = ln 0.3 + ((i + 1) mod 3 - 1) / 2
 *
 * The values are an orthogonal matrix, the other matrices 0.
 *
 * @param sizes `channels`, and `layer` of `layers`
 * @param seed an integer from 0 to 2⁵³ - 1
 * @returns parameters on the reference; `put` moves them
 * @throws {TypeError} if a size is not a number, or not known
 * @throws {RangeError} if a size or the seed is out of range, or memory is exhausted
 *
 * @example
 * ```ts
 * import { timeMixInit } from "@seqmix/seqmix";
 *
 * const params = timeMixInit({ channels: 32, layer: 1, layers: 4 }, 1);
 * console.log(params.decay.shape, params.value.shape); // [ 32 ] [ 32, 32 ]
 * ```
 */
export function timeMixInit(sizes: TimeMixSizes, seed: number): TimeMixParams {
  const action = "initialize time-mix";
  checkConfig(action, sizes, ["channels"], ["layer", "layers"], "sizes");
  const { channels } = sizes, [layer, layers] = checkPlace(action, sizes);
  return drawn<TimeMixParams>(() => timeMixStart(randomSource(seed), channels, layer, layers));
}
