/**
 * What the three models have in common, so that one generate, one evaluate and one benchmark serve them all.
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

/** What a model makes of tokens. */
export interface Prediction<State, Logits extends Tensor | null = Tensor> {
  /** `[B, T, V]`, for each step the logits of the token after it; those that {@linkcode ForwardOptions} ask for. */
  readonly logits: Logits;
  /** The state after the last step. */
  readonly state: State;
}

/**
 * What `forward` of a {@linkcode LanguageModel} reads and computes.
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
 * // And on, a token each.
 * console.log((await read(rwkv.forward(params, [[10], [6]], state).logits)).length); // 128
 * ```
 */
export interface ForwardOptions {
  /**
   * Of which steps: of `"all"`, `[B, T, V]`; of the `"last"`, `[B, 1, V]`; of `"none"`, null, where tokens are only to move
   * the state on. The head takes most of a small model's time and memory. Default `"all"`.
   */
  readonly logits?: "all" | "last" | "none" | undefined;
  /**
   * For prompts of several lengths in one call: for each of the B rows a list of T numbers, 1, or 0 where a position is skipped.
   * A row's state and its logits are those of the row without the positions that are skipped; the logits there are 0. Zeros may
   * be on the left, on the right or between; what id is there does not matter, but it must be one. Of `"last"`, the logits of
   * each row are those after its last 1, or 0 if it has none in this call. Default: nothing is skipped.
   *
   * It decides which kernels run, so its numbers are part of the form of a compiled function ({@linkcode compile}), to which it
   * goes within other options and not as an argument of its own. A Transformer's state keeps it, and can only be stacked with
   * others that have one.
   */
  readonly mask?: readonly ArrayLike<number>[] | undefined;
}

const optionNames: Names<ForwardOptions> = { logits: 0, mask: 0 };

/** A network that predicts the next token: pure functions over its parameters and its state. */
export interface LanguageModel<Config, Params, State> {
  /** `"rwkv"`, `"transformer"` or `"lstm"` */
  readonly name: string;
  /**
   * Initial parameters, on the shared reference.
   *
   * @param config the sizes
   * @param seed an integer from 0 to 2⁵³ - 1; the same seed gives the same parameters
   * @throws {TypeError} if a size is missing or has an unknown name, or there is no seed
   * @throws {RangeError} if a size is not an integer of at least 1, or the seed out of range, or there is no room
   */
  init(config: Config, seed: number): Params;
  /**
   * `init` in parts, between which the event loop can turn: each `next` draws some of the parameters, and the last gives all.
   * A model of one's own can do without.
   */
  initInParts?(config: Config, seed: number): Generator<void, Params>;
  /**
   * The state before the first token, on the parameters' backend.
   *
   * @throws {TypeError} if params are not the model's: a promise of them, a config, another model's
   * @throws {RangeError} if batch is not an integer of at least 1, or there is no room
   */
  initialState(params: Params, batch?: number): State;
  /**
   * The logits after each of the tokens, and the state after the last. Intermediate results are freed; the state that
   * is given stays as it is; the next shares no tensor with it, since who goes on frees the one before.
   *
   * @param params the parameters
   * @param tokens ids from 0 to V - 1: one list a sequence, all of one length, or a tensor `[B, T]`
   * @param state from initialState or an earlier call, of the same batch
   * @param options of which steps the logits are wanted; a model of one's own may give those of all steps all the same
   * @throws {TypeError} if params or state are not the model's, on other shapes, a state of another batch size, tensors of two backends, or options that are none
   * @throws {RangeError} on a list with an id out of range (where a tensor holds one, its logits are NaN), or a mask with another number
   */
  forward(
    params: Params,
    tokens: Tokens,
    state: State,
    options?: ForwardOptions & { readonly logits?: "all" | "last" | undefined },
  ): Prediction<State>;
  /** The same where it may be that no logits are wanted. */
  forward(
    params: Params,
    tokens: Tokens,
    state: State,
    options: ForwardOptions,
  ): Prediction<State, Tensor | null>;
  /** Without options; last, because `Parameters` and `ReturnType` are those of the last signature. */
  forward(params: Params, tokens: Tokens, state: State): Prediction<State>;
}

/** Any of the models, for code that only passes parameters and states along. */
export type AnyLanguageModel = LanguageModel<unknown, unknown, unknown>;

/** Layers between a model's embedding and its head, in terms of x and y `[B, T, C]`. */
export type Layers<Params, State> = (
  params: Params,
  x: Tensor,
  state: State,
  mask: Mask | null,
) => { readonly y: Tensor; readonly state: State };

/**
 * A model's `forward` from its layers and its head, which sees the steps that are wanted. In one scope on the backend of
 * the parameters.
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

/** Layers that know no mask and whose state is of one size, where one may be given. */
export function recurrent<Params, State>(
  layers: (params: Params, x: Tensor, state: State) => { readonly y: Tensor; readonly state: State },
): Layers<Params, State> {
  return (params, x, state, mask) =>
    mask === null
      ? layers(params, x, state)
      : runMasked((x, state: State) => layers(params, x, state), x, state, mask);
}

/** A model's `initialState` from what makes it, in one scope on the backend of the parameters. */
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
