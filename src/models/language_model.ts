/**
 * What the three models have in common, so that one generate, one evaluate and one benchmark serve them all.
 *
 * @module
 */
import { show } from "../check.ts";
import type { Tokens } from "../ops/embedding/mod.ts";
import type { Tensor } from "../tensor.ts";

/** What a model makes of tokens. */
export interface Prediction<State> {
  /** `[B, T, V]`, for each step the logits of the token after it. */
  readonly logits: Tensor;
  /** The state after the last step. */
  readonly state: State;
}

/** A network that predicts the next token: pure functions over its parameters and its state. */
export interface LanguageModel<Config, Params, State> {
  /** `"rwkv"`, `"transformer"` or `"lstm"` */
  readonly name: string;
  /**
   * Initial parameters, on the shared reference.
   *
   * @throws {RangeError} if a size is not an integer of at least 1, or the seed not one from 0 to 2⁵³ - 1, or there is
   *   no room
   */
  init(config: Config, seed: number): Params;
  /**
   * The state before the first token, on the parameters' backend.
   *
   * @throws {RangeError} if batch is not an integer of at least 1, or there is no room
   */
  initialState(params: Params, batch?: number): State;
  /**
   * The logits after each of the tokens, and the state after the last. Intermediate results are freed; the state that
   * is given stays as it is.
   *
   * @param params the parameters
   * @param tokens ids from 0 to V - 1: one list a sequence, all of one length, or a tensor `[B, T]`
   * @param state from initialState or an earlier call, of the same batch
   * @throws {TypeError} on other shapes, a state of another batch size, or tensors of two backends
   * @throws {RangeError} on a list with an id out of range; where a tensor holds one, its logits are NaN
   */
  forward(params: Params, tokens: Tokens, state: State): Prediction<State>;
}

/** Any of the models, for code that only passes parameters and states along. */
export type AnyLanguageModel = LanguageModel<unknown, unknown, unknown>;

/** Checks that a state has a part for each of the model's layers. */
export function checkDepth(action: string, name: string, parts: readonly unknown[], depth: number): void {
  if (parts?.length !== depth) {
    throw new TypeError(
      `Cannot ${action}: state.${name} must have ${depth} parts, current value is ${show(parts)}`,
    );
  }
}
