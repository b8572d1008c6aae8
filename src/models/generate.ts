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
import { checkSampleOptions, sampleNames, type SampleOptions } from "../ops/sample/mod.ts";
import type { Tensor } from "../tensor.ts";
import { allDone, tensor } from "../transfer.ts";
import { backendOf } from "../tree.ts";
import { checkModel, type LanguageModel } from "./language_model.ts";
import { checkLogitsOptions, logitsNames, type LogitsOptions } from "./logits.ts";
import { compiledStep, type Drawn, nextToken } from "./next_token.ts";
import { pieceLength } from "./pieces.ts";
import { stopsOf } from "./stops.ts";

/** How tokens are generated. */
export interface GenerateOptions<State> extends SampleOptions, LogitsOptions {
  /** How many tokens at most; default: no end but `stop` and `signal`. */
  readonly maxTokens?: number | undefined;
  /**
   * Ends the stream when one of these ids is drawn, or all ids of one of these lists one after another; they are not part of the
   * stream. Ids that may be the beginning of a list are held back until it is clear that they are not.
   */
  readonly stop?: readonly (number | readonly number[])[] | undefined;
  /** Goes on from this state, which stays as it is; default: from the start. */
  readonly state?: State | undefined;
  /** Ends the stream, in the middle of the prompt too, with the signal's reason as an error. */
  readonly signal?: AbortSignalLike | undefined;
}

const optionNames: Names<GenerateOptions<unknown>> = {
  ...sampleNames,
  ...logitsNames,
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
  /** How often each id was drawn, `[1, V]`, where that is needed. */
  readonly counts?: Tensor | undefined;
}

/** A state, and how many it has seen of the tokens since the oldest state that is kept. */
interface Mark<State> {
  readonly state: State;
  readonly seen: number;
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
  const { maxTokens, stops, drawing } = checkOptions(prompt, options);
  checkModel("generate", model);
  const { state: given, signal } = options;
  const backend = backendOf("generate", "params", params);
  const free = (state: State | undefined) => {
    if (state !== given) backend.free(state);
  };
  let state = given ?? model.initialState(params);
  /** Moves the state past tokens that are not drawn from. */
  const advance = (tokens: Tokens) => {
    const { logits, state: next } = model.forward(params, tokens, state, { logits: "none" });
    backend.free(logits);
    free(state);
    state = next;
  };

  const next = nextToken(model, drawing);
  using compiled = compiledStep(model, params, drawing);
  let block: Block<State> | undefined;
  /** The states before `state` that may be gone back to. */
  let marks: Mark<State>[] = [];
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
    /** Since the oldest state that is kept; `state` has seen all but the last. */
    let tokens = [prompted[last]], atOnce = 1, ended = false;
    for (let step = 0; step < maxTokens && !ended;) {
      const input: Tokens = block?.last ?? [tokens];
      const count = Math.min(atOnce, maxTokens - step), counts = block?.counts;
      if (count > 1) {
        block = await drawMany(input, step, count, counts);
      } else {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        const { id, after, counts: counted } = drawOne(input, state, step, counts);
        block = { ids: id, last: id, state: after, counts: counted };
      }
      backend.free(input);
      if (counts !== undefined) backend.free(counts);
      const pending = engineOf(backend).download(block.ids);
      const waits = pending instanceof Promise;
      if (waits) atOnce = Math.min(growth * atOnce, mostAtOnce);
      const ids = Array.from(waits ? await unlessAborted(pending, signal) : pending);
      backend.free(block.ids === block.last ? null : block.ids);

      const isPlain = stops.held === 0;
      const first = tokens.length - stops.held, seen = tokens.length - 1;
      const end = ids.findIndex((id) => Number.isNaN(id) || stops.push(id));
      ended = end !== -1;
      let out = ids;
      if (isPlain && !ended && stops.held === 0) {
        free(state);
        state = block.state;
        tokens = [ids[ids.length - 1]];
      } else {
        tokens.push(...ended ? ids.slice(0, end + 1) : ids);
        const isNone = Number.isNaN(ids[end]), isLast = !ended && step + ids.length >= maxTokens;
        const until = tokens.length - (isNone ? 1 : isLast ? 0 : stops.held);
        out = tokens.slice(first, until);
        tokens = settle(tokens, until, ended, [
          ...marks,
          { state, seen },
          { state: block.state, seen: seen + ids.length },
        ]);
      }
      for (let i = 0; i < out.length; i++) {
        if (i > 0) signal?.throwIfAborted();
        yield out[i];
      }
      if (Number.isNaN(ids[end])) {
        throw new RangeError(
          `Cannot generate: logits must be numbers, current logits of step ${step + end} hold NaN`,
        );
      }
      step += ids.length;
    }
    if (!ended) {
      signal?.throwIfAborted();
      advance(block?.last ?? [tokens]);
    }
    finished = true;
    return state;
  } finally {
    backend.free([block?.ids, block?.last, block?.counts]);
    if (!finished) {
      backend.free(block?.state);
      free(state);
    }
    for (const mark of marks) free(mark.state);
  }

  /**
   * Keeps of some states those that the stream may end with, after the first `until` tokens or later; where it has ended, makes
   * the one that has seen just those.
   *
   * @returns the tokens since the oldest of them
   */
  function settle(tokens: number[], until: number, ended: boolean, all: Mark<State>[]): number[] {
    const base = all.findLastIndex(({ seen }) => seen <= until), start = all[base].seen;
    for (const mark of all.slice(0, base)) free(mark.state);
    marks = all.slice(base).map((mark) => ({ state: mark.state, seen: mark.seen - start }));
    if (ended) {
      // Freed first, a state that has seen more hands the room of its caches back.
      for (const mark of marks.splice(1).reverse()) free(mark.state);
    }
    state = marks.pop()!.state;
    if (ended && until > start) advance([tokens.slice(start, until)]);
    return tokens.slice(start);
  }

  /** The token after the input, compiled where the input is on the device. */
  function drawOne(input: Tokens, before: State, step: number, counts?: Tensor): Drawn<State> {
    if (isTensor(input) && step < mostInTensor) {
      const number = tensor([step], [], backend);
      try {
        return compiled.run(params, input, before, number, counts);
      } finally {
        backend.free(number);
      }
    }
    return backend.scope(() => next(params, input, before, step, counts));
  }

  /** Tokens one after another, from the state on. */
  async function drawMany(
    input: Tokens,
    step: number,
    count: number,
    before: Tensor | undefined,
  ): Promise<Block<State>> {
    const drawn: Tensor[] = [];
    let last = state, counts = before;
    const freeLast = () => {
      if (last !== state) backend.free(last);
      if (counts !== before) backend.free(counts);
    };
    try {
      for (let i = 0; i < count; i++) {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        const { id, after, counts: counted } = drawOne(drawn[i - 1] ?? input, last, step + i, counts);
        drawn.push(id);
        freeLast();
        [last, counts] = [after, counted];
      }
      return { ids: run(concatBatchOp, drawn)[0], last: drawn.pop()!, state: last, counts };
    } catch (error) {
      freeLast();
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
      `Cannot ${action}: prompt must be a list of at least one id, current value is ${show(prompt)}`,
    );
  }
  checkNames(action, options, optionNames);
  const { maxTokens = Infinity, stop = [] } = options;
  if (maxTokens !== Infinity) checkInteger(action, "maxTokens", maxTokens, 0);
  const stops = stopsOf(action, stop);
  const drawing = {
    sampling: checkSampleOptions(action, options),
    change: checkLogitsOptions(action, options),
  };
  return { maxTokens, stops, drawing };
}
