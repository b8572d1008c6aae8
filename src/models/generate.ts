/**
 * Generates a stream of tokens with any model.
 *
 * @module
 */
import { type AbortSignalLike, checkSignal, unlessAborted } from "../abort.ts";
import { checkInteger, isTensor, show } from "../check.ts";
import { engineOf } from "../engine.ts";
import { run } from "../compute.ts";
import { eventLoop } from "../event_loop.ts";
import { checkNames, type Names } from "../names.ts";
import { concatBatchOp } from "../ops/batch/mod.ts";
import type { Tokens } from "../ops/embedding/mod.ts";
import { checkSampleOptions, sampleNames, type SampleOptions } from "../ops/sample/mod.ts";
import { compile } from "../runtime/compile.ts";
import type { Tensor } from "../tensor.ts";
import { allDone, tensor } from "../transfer.ts";
import { backendOf } from "../tree.ts";
import { checkModel, type LanguageModel } from "./language_model.ts";
import { checkLogitsOptions, logitsNames, type LogitsOptions } from "./logits.ts";
import { compiledStep, type Drawn, nextToken } from "./next_token.ts";
import { needsTurns, pieceLength } from "./pieces.ts";
import { stopsOf } from "./stops.ts";

/** Options of {@linkcode generate}. */
export interface GenerateOptions<State> extends SampleOptions, LogitsOptions {
  /** The maximum number of tokens; default: no limit. */
  readonly maxTokens?: number | undefined;
  /**
   * Ends the stream when one of these ids is drawn, or all ids of one of these lists in sequence. These ids are not
   * part of the stream. Ids that match the beginning of a list are held back until they no longer do.
   */
  readonly stop?: readonly (number | ArrayLike<number>)[] | undefined;
  /** The state to continue from, which is not changed; default: the initial state. */
  readonly state?: State | undefined;
  /** Aborts the stream, also while the prompt is processed, with the signal's reason as the error. */
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
 * If reading from the device is asynchronous, tokens are read in blocks. The first block is a single token, so that it
 * is available early; each further block is `growth` times as long as the one before, up to `longestBlock`.
 */
const longestBlock = 64, growth = 4;

/** Integers below this are exact in single precision. */
const exactBelow = 2 ** 24;

/** Tokens that were drawn one after another, each the input of the next. */
interface Block<State> {
  /** All of them, `[n, 1]`. */
  readonly ids: Tensor;
  /** The last one, `[1, 1]`, which `state` does not include yet. */
  readonly last: Tensor;
  readonly state: State;
  /** The number of times that each id was drawn, `[1, V]`, if that is needed. */
  readonly counts?: Tensor | undefined;
}

/** A state that the stream may have to return to, and the number of tokens that it has seen since the oldest one. */
interface Snapshot<State> {
  readonly state: State;
  readonly seen: number;
}

/**
 * Generates tokens one by one. The prompt is processed in pieces, so memory grows with the number of tokens, in the
 * prompt or the stream, only if the model's state does. The event loop turns at least every 20 ms plus the time of one
 * token or piece, so that timers fire, pages paint and the signal can abort. If reading from the device is asynchronous
 * (WebGPU), tokens are drawn on the device and read in blocks of 1, 4, 16 and then always 64.
 *
 * The compiled step is kept with `params` for the next stream with the same model and sampling options, seed included.
 * What the `forward` of a model of your own closes over, other than tensors, must therefore be constant.
 *
 * @param model the model
 * @param params its parameters; the model runs on their backend
 * @param prompt token ids, at least one
 * @param options how tokens are drawn ({@linkcode SampleOptions}, {@linkcode LogitsOptions}), when to stop, and the
 *   state to continue from
 * @returns an async generator of ids. Its return value is the state after the prompt and all of these ids, from which a
 *   conversation can be continued; the caller owns it
 * @throws {TypeError} (at the first step) if the prompt is empty or not a list, if params or the state are not the
 *   model's, or on an unknown option
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
 * @example Continuing from the final state
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
  const stateAfter = (params: Params, tokens: Tokens, before: State) =>
    model.forward(params, tokens, before, { logits: "none" }).state;
  /** Advances the state by tokens, without drawing. */
  const advance = (tokens: Tokens) => {
    const next = backend.scope(() => stateAfter(params, tokens, state));
    free(state);
    state = next;
  };
  using advanced = compile(stateAfter);
  /** The same for a piece of the prompt; if it takes long, the event loop turns meanwhile. */
  const readPiece = async (tokens: Sliceable) => {
    if (!needsTurns(params, tokens.length, backend)) return advance([tokens]);
    const next = await advanced.withTurns([params, [tokens], state], signal);
    free(state);
    state = next;
  };

  const next = nextToken(model, drawing);
  using compiled = compiledStep(model, params, drawing);
  let block: Block<State> | undefined;
  /** The states before `state` that the stream may have to return to. */
  let snapshots: Snapshot<State>[] = [];
  let finished = false;
  try {
    // A copy, which is quick for the lists that can be long.
    const prompted: Sliceable = isSliceable(prompt) ? prompt.slice() : Array.from(prompt);
    const last = prompted.length - 1;
    // All but the last token of the prompt only advance the state; from there on, each token gives the next.
    let before: Promise<unknown> | undefined;
    for (let start = 0; start < last;) {
      const turn = eventLoop.pause(signal);
      if (turn !== undefined) await turn;
      const end = Math.min(last, start + pieceLength(params, state, 1, backend));
      await readPiece(prompted.slice(start, end));
      start = end;
      if (start === last) break;
      // The device has at most two pieces queued: a whole long prompt would delay all of its other work.
      const done = allDone(backend);
      if (before !== undefined) await unlessAborted(before, signal);
      before = done;
    }
    /** The tokens since the oldest snapshot; `state` has seen all but the last of them. */
    let tokens = [prompted[last]], blockLength = 1, ended = false;
    for (let step = 0; step < maxTokens && !ended;) {
      const input: Tokens = block?.last ?? [tokens];
      const count = Math.min(blockLength, maxTokens - step), counts = block?.counts;
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
      if (waits) blockLength = Math.min(growth * blockLength, longestBlock);
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
          ...snapshots,
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
      const turn = eventLoop.pause(signal);
      if (turn !== undefined) await turn;
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
    for (const snapshot of snapshots) free(snapshot.state);
  }

  /**
   * Frees the snapshots that the stream can't return to any more, given that its first `until` tokens are certain. If
   * the stream has ended, sets `state` to the state after exactly these tokens.
   *
   * @returns the tokens since the oldest snapshot that is left
   */
  function settle(tokens: number[], until: number, ended: boolean, all: Snapshot<State>[]): number[] {
    const base = all.findLastIndex(({ seen }) => seen <= until), start = all[base].seen;
    for (const snapshot of all.slice(0, base)) free(snapshot.state);
    snapshots = all.slice(base).map((snapshot) => ({ state: snapshot.state, seen: snapshot.seen - start }));
    if (ended) {
      // The newest first, which returns the capacity of caches to the state that is kept.
      for (const snapshot of snapshots.splice(1).reverse()) free(snapshot.state);
    }
    state = snapshots.pop()!.state;
    if (ended && until > start) advance([tokens.slice(start, until)]);
    return tokens.slice(start);
  }

  /** Draws the token after the input, with the compiled step if the input is on the device. */
  function drawOne(input: Tokens, before: State, step: number, counts?: Tensor): Drawn<State> {
    if (isTensor(input) && step < exactBelow) {
      const number = tensor([step], [], backend);
      try {
        return compiled.run(params, input, before, number, counts);
      } finally {
        backend.free(number);
      }
    }
    return backend.scope(() => next(params, input, before, step, counts));
  }

  /** Draws tokens one after another, starting from `state`. */
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

type Sliceable = ArrayLike<number> & { slice(start?: number, end?: number): Sliceable };

function isSliceable(ids: ArrayLike<number>): ids is Sliceable {
  return Array.isArray(ids) || ArrayBuffer.isView(ids);
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
  checkSignal(action, options.signal);
  const stops = stopsOf(action, stop);
  const drawing = {
    sampling: checkSampleOptions(action, options),
    change: checkLogitsOptions(action, options),
  };
  return { maxTokens, stops, drawing };
}
