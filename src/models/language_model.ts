/**
 * The interface of all models, which `generate`, `evaluate`, `fit` and the benchmarks are written for.
 *
 * @module
 */
import { show } from "../check.ts";
import { type Mask, maskOf } from "../mask.ts";
import { checkNames, type Names } from "../names.ts";
import { embedding, type Tokens } from "../ops/embedding/mod.ts";
import { lastStepAsSequence } from "../ops/shift_time/mod.ts";
import type { Tensor } from "../tensor.ts";
import { checkParams, checkState, type Embedded, type Kind } from "./given.ts";
import { maskedLogits, runMasked } from "./masked.ts";

/** The result of a model's `forward`. */
export interface Prediction<State, Logits extends Tensor | null = Tensor> {
  /** `[B, T, V]`, for each step the logits of the next token; fewer with the `logits` of {@linkcode ForwardOptions}. */
  readonly logits: Logits;
  /** The state after the last step. */
  readonly state: State;
}

/**
 * Options of a {@linkcode LanguageModel}'s `forward`.
 *
 * @example Prompts of three and five tokens in one call
 * ```ts
 * import { presets, read, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * const prompts = [[7, 8, 9], [1, 2, 3, 4, 5]];
 * const longest = Math.max(...prompts.map(({ length }) => length));
 * const paddings = prompts.map(({ length }) => Array<number>(longest - length).fill(0));
 * const tokens = prompts.map((ids, b) => [...paddings[b], ...ids]);
 * const mask = prompts.map((ids, b) => [...paddings[b], ...ids.map(() => 1)]);
 * const { logits, state } = rwkv.forward(params, tokens, rwkv.initialState(params, 2), { mask, logits: "last" });
 * console.log(logits.shape); // [ 2, 1, 64 ]
 * // Then one token for each.
 * console.log((await read(rwkv.forward(params, [[10], [6]], state).logits)).length); // 128
 * ```
 */
export interface ForwardOptions {
  /**
   * The steps whose logits are computed: `"all"` gives `[B, T, V]`, `"last"` gives `[B, 1, V]`, and `"none"` gives
   * null, for tokens that only advance the state. The head takes most of a small model's time and memory. Default
   * `"all"`.
   */
  readonly logits?: "all" | "last" | "none" | undefined;
  /**
   * For prompts of different lengths in one call: B lists of T numbers, 1 for a position that is read and 0 for one
   * that is skipped. The state and the logits of a row are those of the row without its skipped positions, whose own
   * logits are 0. Zeros may be on the left, on the right or in between; the ids there are ignored, but must be in
   * range. With `logits: "last"`, the logits of a row are those after its last 1, or 0 if it has none. Default:
   * nothing is skipped.
   *
   * The mask determines which kernels run, so its numbers are part of the form of a compiled function
   * ({@linkcode compile}): pass it inside another argument, such as these options, not as an argument of its own. The
   * state of a Transformer keeps the mask, and can only be stacked with states that have one as well.
   */
  readonly mask?: readonly ArrayLike<number>[] | undefined;
}

const optionNames: Names<ForwardOptions> = { logits: 0, mask: 0 };

/** A network that predicts the next token: pure functions of its parameters and its state. */
export interface LanguageModel<Config, Params, State> {
  /** `"rwkv"`, `"transformer"` or `"lstm"` */
  readonly name: string;
  /**
   * Initial parameters, on the shared reference backend.
   *
   * @param config the sizes
   * @param seed an integer from 0 to 2⁵³ - 1; the same seed gives the same parameters
   * @throws {TypeError} if a size or the seed is missing, or if a name in `config` is unknown
   * @throws {RangeError} if a size is not an integer of at least 1, if the seed is out of range, or if memory is
   *   exhausted
   */
  init(config: Config, seed: number): Params;
  /**
   * `init` in parts, so that the event loop can turn in between: each `next` draws some of the parameters, and the last
   * one returns all of them. Optional for your own models.
   */
  initInParts?(config: Config, seed: number): Generator<void, Params>;
  /**
   * The state before the first token, on the parameters' backend.
   *
   * @param params the parameters
   * @param batch the number of sequences, B; default 1
   * @throws {TypeError} if params are not the model's, but for example a promise, a config, or those of another model
   * @throws {RangeError} if batch is not an integer of at least 1, or if memory is exhausted
   */
  initialState(params: Params, batch?: number): State;
  /**
   * The logits after each token, and the state after the last. Intermediate results are freed. `state` is not changed,
   * and the new state shares no tensor with it, so that it can be freed once it is no longer needed.
   *
   * @param params the parameters
   * @param tokens ids from 0 to V - 1: one list for each sequence, all of one length, or a tensor `[B, T]`
   * @param state from `initialState` or an earlier call with the same batch size
   * @param options the steps whose logits are computed (your own models may ignore this and return all), and a mask
   * @throws {TypeError} if params or state are not the model's, on other shapes, a state of another batch size,
   *   tensors of several backends, or an unknown option or value of `logits`
   * @throws {RangeError} if a list holds an id out of range (in a tensor, its logits are NaN), or a mask a number
   *   other than 0 and 1
   */
  forward(
    params: Params,
    tokens: Tokens,
    state: State,
    options?: ForwardOptions & { readonly logits?: "all" | "last" | undefined },
  ): Prediction<State>;
  /** The same with options that may be `logits: "none"`. */
  forward(
    params: Params,
    tokens: Tokens,
    state: State,
    options: ForwardOptions,
  ): Prediction<State, Tensor | null>;
  /** The same without options. The last overload, since `Parameters` and `ReturnType` use the last one. */
  forward(params: Params, tokens: Tokens, state: State): Prediction<State>;
}

/** Any model, for code that only passes parameters and states through. */
export type AnyLanguageModel = LanguageModel<unknown, unknown, unknown>;

/** The layers between a model's embedding and its head, from x `[B, T, C]` to y `[B, T, C]`. */
export type Layers<Params, State> = (
  params: Params,
  x: Tensor,
  state: State,
  mask: Mask | null,
) => { readonly y: Tensor; readonly state: State };

/**
 * A model's `forward`, from its layers and its head; the head is applied only to the steps whose logits are requested.
 * Runs in one scope on the parameters' backend.
 */
export function forwardWith<Params extends Embedded, State>(
  action: string,
  kind: Kind,
  layers: Layers<Params, State>,
  head: (params: Params, y: Tensor) => Tensor,
): LanguageModel<never, Params, State>["forward"] {
  const forward = (params: Params, tokens: Tokens, state: State, options?: ForwardOptions) => {
    if (options !== undefined) checkNames(action, options, optionNames);
    const logits = options?.logits ?? "all";
    if (logits !== "all" && logits !== "last" && logits !== "none") {
      throw new TypeError(
        `Cannot ${action}: logits must be "all", "last" or "none", current logits is ${show(logits)}`,
      );
    }
    const backend = checkParams(action, kind, params);
    checkState(action, kind, state);
    return backend.scope(() => {
      const x = embedding(params.embedding, tokens);
      const mask = maskOf(action, options?.mask, x.shape[0], x.shape[1]);
      const { y, state: next } = layers(params, x, state, mask);
      if (logits === "none") return { logits: null, state: next };
      if (mask !== null) {
        return { logits: maskedLogits(y, (y) => head(params, y), mask, logits), state: next };
      }
      return { logits: head(params, logits === "all" ? y : lastStepAsSequence(y)), state: next };
    });
  };
  return forward as LanguageModel<never, Params, State>["forward"];
}

/** Adds masks to layers without them, whose state has a constant size. */
export function recurrent<Params, State>(
  layers: (params: Params, x: Tensor, state: State) => { readonly y: Tensor; readonly state: State },
): Layers<Params, State> {
  return (params, x, state, mask) =>
    mask === null
      ? layers(params, x, state)
      : runMasked((x, state: State) => layers(params, x, state), x, state, mask);
}

/** A model's `initialState`, from the function that creates it, in one scope on the parameters' backend. */
export function initialStateWith<Params extends Embedded, State>(
  action: string,
  kind: Kind,
  make: (params: Params, batch: number) => State,
): LanguageModel<never, Params, State>["initialState"] {
  return (params, batch = 1) => checkParams(action, kind, params).scope(() => make(params, batch));
}

/** Whether a value is a model. */
export function isModel(value: unknown): value is LanguageModel<never, unknown, unknown> {
  const { name, forward } = (value ?? {}) as Partial<AnyLanguageModel>;
  return typeof name === "string" && typeof forward === "function";
}

/** Checks that a value is a model. */
export function checkModel(action: string, model: unknown): void {
  if (isModel(model)) return;
  throw new TypeError(`Cannot ${action}: model must be a language model, current value is ${show(model)}`);
}

/** Checks that a state has a part for each of the model's layers. */
export function checkDepth(action: string, name: string, parts: readonly unknown[], depth: number): void {
  if (parts?.length !== depth) {
    throw new TypeError(
      `Cannot ${action}: state.${name} must have ${depth} parts, current value is ${show(parts)}`,
    );
  }
}
