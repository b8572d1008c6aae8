/**
 * A stream of tokens from any model.
 *
 * @module
 */
import { checkInteger, show } from "../check.ts";
import { checkSampleOptions, sample, type SampleOptions } from "../ops/sample/mod.ts";
import { read } from "../transfer.ts";
import { backendOf } from "../tree.ts";
import type { LanguageModel } from "./language_model.ts";

/** How tokens are generated. */
export interface GenerateOptions<State> extends SampleOptions {
  /** How many tokens at most; default: no end but `stop` and `signal`. */
  readonly maxTokens?: number;
  /** Ends the stream when one of these ids is drawn; that id is not part of the stream. */
  readonly stop?: readonly number[];
  /** Goes on from this state, which stays as it is; default: from the start. */
  readonly state?: State;
  /** Ends the stream with the signal's reason as an error. */
  readonly signal?: AbortSignal;
}

/**
 * Generates tokens one by one. The memory that it takes does not grow with their number for a model whose state does
 * not.
 *
 * @param model which model
 * @param params its parameters; it runs on their backend
 * @param prompt ids of at least one token
 * @param options {@linkcode SampleOptions}, and when to stop, and where to go on from
 * @returns an async generator of ids; its return value is the state after the prompt and all of those ids, from which
 *   a conversation goes on, and which is the caller's to free
 * @throws {TypeError} at the first step, if the prompt is empty or not a list
 * @throws {RangeError} on an id or an option out of range, or when a logit is NaN
 *
 * @example
 * ```ts
 * import { generate, presets, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * for await (const id of generate(rwkv, params, [1, 2, 3], { maxTokens: 4, seed: 7 })) console.log(id);
 * ```
 *
 * @example Going on from the final state
 * ```ts
 * import { generate, presets, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * const first = generate(rwkv, params, [1, 2, 3], { maxTokens: 2 });
 * let { value, done } = await first.next();
 * while (!done) ({ value, done } = await first.next());
 * const state = value as ReturnType<typeof rwkv.initialState>;
 * for await (const id of generate(rwkv, params, [4], { maxTokens: 2, state })) console.log(id);
 * ```
 */
export async function* generate<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  prompt: ArrayLike<number>,
  options: GenerateOptions<State> = {},
): AsyncGenerator<number, State> {
  const { maxTokens, stop } = checkOptions(prompt, options);
  const backend = backendOf("generate", "params", params);
  const given = options.state;
  /** The next state; the one that it replaces is freed, unless it is the caller's. */
  const advance = (tokens: readonly number[], from: State) => {
    const next = backend.scope(() => model.forward(params, [tokens], from));
    if (from !== given) backend.free(from);
    return next;
  };

  const ids = Array.from(prompt);
  let state = given ?? model.initialState(params);
  let finished = false;
  try {
    // All but the last token of the prompt only move the state on; from there, one token in is one token out.
    if (ids.length > 1) {
      const { logits, state: next } = advance(ids.slice(0, -1), state);
      backend.free(logits);
      state = next;
    }
    let token = ids[ids.length - 1];
    for (let step = 0;; step++) {
      options.signal?.throwIfAborted();
      const { logits, state: next } = advance([token], state);
      state = next;
      const drawn = step < maxTokens ? backend.scope(() => sample(logits, options, step)) : undefined;
      backend.free(logits);
      if (drawn === undefined) break;
      const [id] = await read(drawn);
      backend.free(drawn);
      if (Number.isNaN(id)) {
        throw new RangeError(
          `Cannot generate: logits must be numbers, current logits of step ${step} hold NaN`,
        );
      }
      if (stop.includes(id)) break;
      token = id;
      yield id;
    }
    finished = true;
    return state;
  } finally {
    if (!finished && state !== given) backend.free(state);
  }
}

function checkOptions(prompt: ArrayLike<number>, options: GenerateOptions<unknown>) {
  const action = "generate";
  if (!(prompt?.length > 0) || typeof prompt === "string") {
    throw new TypeError(
      `Cannot ${action}: prompt must hold at least one id, current value is ${show(prompt)}`,
    );
  }
  const { maxTokens = Infinity, stop = [] } = options;
  if (maxTokens !== Infinity) checkInteger(action, "maxTokens", maxTokens, 0);
  if (!Array.isArray(stop)) {
    throw new TypeError(`Cannot ${action}: stop must be a list of ids, current value is ${show(stop)}`);
  }
  checkSampleOptions(action, options);
  return { maxTokens, stop: stop as readonly number[] };
}
