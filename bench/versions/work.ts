/**
 * The work that is timed: a token, a generation, steps of training.
 *
 * @module
 */
import type { Prediction, TransformerParams } from "@seqmix/seqmix";
import { type ModelName, type PresetName, taskSequence } from "../measure/subjects.ts";
import { clocked, type Timed } from "../measure/timer.ts";
import { type Library, makeSubject, type Subject } from "./library.ts";

export type Work =
  | { readonly kind: "token"; readonly length: number }
  | { readonly kind: "generate"; readonly tokens: number }
  | { readonly kind: "fit"; readonly rows: number; readonly length: number };

/** `token at 32` */
export function titleOf(work: Work): string {
  switch (work.kind) {
    case "token":
      return `token at ${work.length}`;
    case "generate":
      return `generate ${work.tokens}`;
    case "fit":
      return `fit ${work.rows} x ${work.length}`;
  }
}

/** The number of tokens or steps in a run. */
export function unitsOf(work: Work): number {
  switch (work.kind) {
    case "token":
      return 1;
    case "generate":
      return work.tokens;
    case "fit":
      return stepsOf(work.rows);
  }
}

/** A model of a library that does some work when it is timed, until it is disposed of. */
export async function startWork(
  library: Library,
  preset: PresetName,
  name: ModelName,
  work: Work,
): Promise<Timed & Disposable> {
  const subject = await makeSubject(library, preset, name);
  return { ...timedOf(subject, work), [Symbol.dispose]: () => subject.backend[Symbol.dispose]() };
}

function timedOf(subject: Subject, work: Work): Timed {
  switch (work.kind) {
    case "token":
      return tokenAt(subject, work.length);
    case "generate":
      return generation(subject, work.tokens);
    case "fit":
      return training(subject, work.rows, work.length);
  }
}

/** A token at the end of a context, repeated from the state before it. */
function tokenAt(subject: Subject, length: number): Timed {
  const { library, model, params, backend } = subject;
  type Forward = (params: unknown, tokens: readonly number[][], state: unknown) => Prediction<unknown>;
  const plain: Forward = (params, tokens, state) => model.forward(params, tokens, state);
  const forward = library.compile?.(plain) ?? plain;
  const context = taskSequence(length), last = [context.slice(-1)];
  let state = startOf(subject, length);
  if (length > 1) {
    const first = [context.slice(0, -1)], before = state;
    state = backend.scope(() => model.forward(params, first, before).state);
  }
  const token = () => backend.scope(() => forward(params, last, state).logits);
  return clocked(async (times) => {
    for (; times > 1; times--) backend.free(token());
    const logits = token();
    await library.read(logits);
    backend.free(logits);
  });
}

/** The state before the first token; a cache has a capacity for the whole context. */
function startOf({ library, model, params }: Subject, length: number): unknown {
  if (model.name !== "transformer") return model.initialState(params);
  const { blocks } = params as TransformerParams;
  return { blocks: blocks.map(({ attention }) => library.multiHeadAttentionState(attention, 1, length)) };
}

/** `generate` from the call to the last token. */
function generation({ library, model, params }: Subject, tokens: number): Timed {
  return clocked(async (times) => {
    for (; times > 0; times--) {
      const stream = library.generate(model, params, taskSequence(3), { maxTokens: tokens, seed: 1 });
      while (!(await stream.next()).done);
    }
  });
}

/** Steps of `fit`, one epoch at a time. */
function training({ library, model, config, backend }: Subject, rows: number, length: number): Timed {
  const sequence = taskSequence(length + 1), every = stepsOf(rows);
  const reports = library.fit(model, { train: Array.from({ length: rows * every }, () => sequence) }, {
    config,
    backend,
    batchSize: rows,
    epochs: 1e6,
    every,
    seed: 1,
  });
  return clocked(async (times) => {
    for (; times > 0; times--) await reports.next();
  });
}

/** The number of steps in an epoch: with small batches, as many as take the time of a large one. */
function stepsOf(rows: number): number {
  return Math.max(1, Math.floor(32 / rows));
}
