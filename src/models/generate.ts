/**
 * A stream of tokens from any model.
 *
 * @module
 */
import { type AbortSignalLike, unlessAborted } from "../abort.ts";
import { checkInteger, isTensor, show } from "../check.ts";
import { engineOf } from "../engine.ts";
import { run } from "../compute.ts";
import { eventLoop } from "../event_loop.ts";
import { checkNames, type Names } from "../names.ts";
import { concatBatchOp } from "../ops/batch/mod.ts";
import type { Tokens } from "../ops/embedding/mod.ts";
import { checkSampleOptions, sample, sampleNames, type SampleOptions } from "../ops/sample/mod.ts";
import { compile } from "../runtime/compile.ts";
import type { Tensor } from "../tensor.ts";
import { allDone, tensor } from "../transfer.ts";
import { backendOf } from "../tree.ts";
import { checkModel, type LanguageModel } from "./language_model.ts";
import { pieceLength } from "./pieces.ts";

/** How tokens are generated. */
export interface GenerateOptions<State> extends SampleOptions {
  /** How many tokens at most; default: no end but `stop` and `signal`. */
  readonly maxTokens?: number | undefined;
  /** Ends the stream when one of these ids is drawn; that id is not part of the stream. */
  readonly stop?: readonly number[] | undefined;
  /** Goes on from this state, which stays as it is; default: from the start. */
  readonly state?: State | undefined;
  /** Ends the stream, in the middle of the prompt too, with the signal's reason as an error. */
  readonly signal?: AbortSignalLike | undefined;
}

const optionNames: Names<GenerateOptions<unknown>> = {
  ...sampleNames,
  maxTokens: 0,
  stop: 0,
  state: 0,
  signal: 0,
};

/**
 * The most tokens that are drawn before they are read, where reading takes time. The first token waits for no other, and
 * each block is so many times as long as the one before.
 */
const mostAtOnce = 64, growth = 4;

/** Whole numbers below this are exact in single precision. */
const mostInTensor = 2 ** 24;

/** Tokens that were drawn one after another, each of them the next one's input. */
interface Block<State> {
  /** All of them, `[n, 1]`. */
  readonly ids: Tensor;
  /** The last, `[1, 1]`, which the state has not seen. */
  readonly last: Tensor;
  readonly state: State;
}

/**
 * Generates tokens one by one. The memory that it takes does not grow with their number for a model whose state does
 * not, nor with the prompt's length: a prompt is read in pieces. The event loop turns every 20 ms, and one token or piece
 * later at most, so that timers fire, pages paint and the signal is heard. Where reading from the device takes time, tokens stay there while they are drawn, and are read in blocks of 1, 4,
 * 16 and from then on 64.
 *
 * @param model which model
 * @param params its parameters; it runs on their backend
 * @param prompt ids of at least one token
 * @param options {@linkcode SampleOptions}, and when to stop, and where to go on from
 * @returns an async generator of ids; its return value is the state after the prompt and all of those ids, from which
 *   a conversation goes on, and which is the caller's to free
 * @throws {TypeError} at the first step, if the prompt is empty or not a list, or params or the state are not the model's, or
 *   on an unknown option
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
  const { maxTokens, stop, sampling } = checkOptions(prompt, options);
  checkModel("generate", model);
  const { state: given, signal } = options;
  const backend = backendOf("generate", "params", params);
  let state = given ?? model.initialState(params);
  /** Puts another state into its place, and frees it unless it is the caller's. */
  const replace = (next: State) => {
    if (state !== given) backend.free(state);
    state = next;
  };
  /** Moves the state past tokens that are not drawn from. */
  const advance = (tokens: Tokens) => {
    const { logits, state: next } = model.forward(params, tokens, state, { logits: "none" });
    backend.free(logits);
    replace(next);
  };

  using draw = compile((params: Params, input: Tensor, before: State, step: Tensor) => {
    const { logits, state: after } = model.forward(params, input, before);
    return { id: sample(logits, sampling, step), after };
  });
  let block: Block<State> | undefined;
  let finished = false;
  try {
    const prompted = Array.from(prompt);
    const last = prompted.length - 1;
    // All but the last token of the prompt only move the state on; from there, one token in is one token out.
    let before: Promise<unknown> | undefined;
    for (let start = 0; start < last;) {
      const turn = eventLoop.pause(signal);
      if (turn !== undefined) await turn;
      const end = Math.min(last, start + pieceLength(params, state, 1, backend));
      advance([prompted.slice(start, end)]);
      start = end;
      if (start === last) break;
      // A device is two pieces behind at most: else it would have all of a long prompt to do before anything else.
      const done = allDone(backend);
      if (before !== undefined) await unlessAborted(before, signal);
      before = done;
    }
    let unseen = prompted[last], atOnce = 1, ended = false;
    for (let step = 0; step < maxTokens && !ended;) {
      const input: Tokens = block?.last ?? [[unseen]];
      const count = Math.min(atOnce, maxTokens - step);
      if (count > 1) {
        block = await drawMany(input, step, count);
      } else {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        const { id, after } = drawOne(input, state, step);
        block = { ids: id, last: id, state: after };
      }
      backend.free(input);
      const pending = engineOf(backend).download(block.ids);
      const waits = pending instanceof Promise;
      if (waits) atOnce = Math.min(growth * atOnce, mostAtOnce);
      const ids = Array.from(waits ? await unlessAborted(pending, signal) : pending);
      backend.free(block.ids === block.last ? null : block.ids);

      const end = ids.findIndex((id) => Number.isNaN(id) || stop.includes(id));
      ended = end !== -1;
      const streamed = ended ? end : ids.length;
      if (streamed < ids.length - 1) {
        // The state has seen tokens behind the end. Freed first, it hands the room of its caches back.
        backend.free(block.state);
        advance([[unseen, ...ids.slice(0, streamed)]]);
      } else {
        replace(block.state);
      }
      for (let i = 0; i < streamed; i++) {
        if (i > 0) signal?.throwIfAborted();
        yield ids[i];
      }
      if (Number.isNaN(ids[end])) {
        throw new RangeError(
          `Cannot generate: logits must be numbers, current logits of step ${step + end} hold NaN`,
        );
      }
      unseen = ids[ids.length - 1];
      step += ids.length;
    }
    if (!ended) {
      signal?.throwIfAborted();
      advance(block?.last ?? [[unseen]]);
    }
    finished = true;
    return state;
  } finally {
    backend.free([block?.ids, block?.last]);
    if (!finished) backend.free([block?.state, state === given ? undefined : state]);
  }

  /** The token after the input, and the state that has seen the input. */
  function drawOne(input: Tokens, before: State, step: number): { id: Tensor; after: State } {
    if (isTensor(input) && step < mostInTensor) {
      const number = tensor([step], [], backend);
      try {
        return draw(params, input, before, number);
      } finally {
        backend.free(number);
      }
    }
    return backend.scope(() => {
      const { logits, state: after } = model.forward(params, input, before);
      return { id: sample(logits, sampling, step), after };
    });
  }

  /** Tokens one after another, from the state on. */
  async function drawMany(input: Tokens, step: number, count: number): Promise<Block<State>> {
    const drawn: Tensor[] = [];
    let last = state;
    try {
      for (let i = 0; i < count; i++) {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        const { id, after } = drawOne(drawn[i - 1] ?? input, last, step + i);
        drawn.push(id);
        if (last !== state) backend.free(last);
        last = after;
      }
      return { ids: run(concatBatchOp, drawn)[0], last: drawn.pop()!, state: last };
    } catch (error) {
      if (last !== state) backend.free(last);
      throw error;
    } finally {
      backend.free(drawn);
    }
  }
}

function checkOptions(prompt: ArrayLike<number>, options: GenerateOptions<unknown>) {
  const action = "generate";
  if (!(prompt?.length > 0) || typeof prompt === "string") {
    throw new TypeError(
      `Cannot ${action}: prompt must hold at least one id, current value is ${show(prompt)}`,
    );
  }
  checkNames(action, options, optionNames);
  const { maxTokens = Infinity, stop = [] } = options;
  if (maxTokens !== Infinity) checkInteger(action, "maxTokens", maxTokens, 0);
  if (!Array.isArray(stop)) {
    throw new TypeError(`Cannot ${action}: stop must be a list of ids, current value is ${show(stop)}`);
  }
  const sampling = checkSampleOptions(action, options);
  return { maxTokens, stop: stop as readonly number[], sampling };
}
