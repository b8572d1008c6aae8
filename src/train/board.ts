/**
 * Work that is handed out in shared memory: a batch, of which each worker does a part. A thread that waits for a message
 * sleeps, and comes back late: by half a millisecond each way, where a step of a small model takes twenty. So whoever waits
 * looks here first, for a moment; who then sleeps says so, and is woken by a message.
 *
 * @module
 */
import { sharedHostArray } from "../allocate.ts";
import type { Batch } from "../models/batches.ts";
import type { Floats } from "../tensor.ts";
import { type Kind, sharedNumbers } from "./flat.ts";

/** What the workers share: the first asks, all of them answer. */
export interface Board {
  /** How many share it. */
  readonly workers: number;
  /** See the places below. */
  readonly signals: Int32Array;
  /** All inputs, then all targets, then all weights, if there are any; doubles, so that what is no id is found by who checks them. */
  readonly ids: Float64Array;
  /** The parameters, flat. */
  readonly params: Floats;
  /** Of each worker, its part's share of the mean loss, and the gradients of that, flat. */
  readonly losses: Float64Array;
  readonly grads: readonly Floats[];
}

/**
 * Places in `signals`: the number of the last question, how many sequences of what length it has, whether it has weights, from
 * `asleep` on of each worker whether it sleeps, and then of each the last question that it has answered.
 */
const asked = 0, rows = 1, length = 2, weighted = 3, asleep = 4;

/** How long one looks for a question or an answer; longer than an update of parameters takes. */
const patienceMs = 4;

/** A board for batches like this one; undefined where the runtime shares no memory. */
export function openBoard(workers: number, params: Floats, batch: Batch): Board | undefined {
  const Numbers = params.constructor as Kind;
  const grads = Array.from({ length: workers }, () => sharedNumbers(Numbers, params.length));
  if (grads.includes(undefined)) return undefined;
  const signals = new Int32Array(new SharedArrayBuffer(4 * (asleep + 2 * workers)));
  // The others have not heard of it.
  signals.fill(1, asleep + 1, asleep + workers);
  return {
    workers,
    signals,
    ids: sharedHostArray("fit", Float64Array, idsOf(batch)),
    params,
    losses: new Float64Array(new SharedArrayBuffer(8 * workers)),
    grads: grads as Floats[],
  };
}

/** Whether a batch finds room. */
export function fits({ ids }: Board, batch: Batch): boolean {
  return idsOf(batch) <= ids.length;
}

/** A question that was put up. */
export interface Question {
  readonly number: number;
  /** Where it stands: until the next one. */
  readonly batch: Batch;
}

/** Puts a question up; the one before must be answered. */
export function putQuestion(
  { signals, ids }: Board,
  number: number,
  { inputs, targets, weights }: Batch,
): void {
  // Who looks meanwhile finds none.
  Atomics.store(signals, asked, 0);
  let at = 0;
  for (const row of [...inputs, ...targets, ...weights ?? []]) {
    ids.set(row, at);
    at += row.length;
  }
  signals[rows] = inputs.length;
  signals[length] = inputs[0].length;
  signals[weighted] = weights ? 1 : 0;
  Atomics.store(signals, asked, number);
}

/** The last question, if it is newer than that of a number, or if one comes in a moment; none: the worker now sleeps. */
export function takeQuestion(board: Board, worker: number, after: number): Question | undefined {
  const { signals, ids } = board;
  while (comes(board, worker, () => Atomics.load(signals, asked) > after)) {
    const number = Atomics.load(signals, asked), count = signals[rows], size = signals[length];
    const lists = (from: number) =>
      Array.from({ length: count }, (_, i) => ids.subarray((from + i) * size, (from + i + 1) * size));
    const batch = {
      inputs: lists(0),
      targets: lists(count),
      weights: signals[weighted] ? lists(2 * count) : undefined,
    };
    // A worker that has no part in a question may look while the next is put up.
    if (number > after && Atomics.load(signals, asked) === number) return { number, batch };
  }
}

/** Says that a worker has done its part; its gradients are there already. */
export function putAnswer(board: Board, worker: number, number: number, loss: number): void {
  board.losses[worker] = loss;
  Atomics.store(board.signals, placeOf(board, worker), number);
}

/** Whether a worker has answered the question of a number, or does in a moment; if not, the first, who asks, now sleeps. */
export function isAnswered(board: Board, worker: number, number: number): boolean {
  const place = placeOf(board, worker);
  return comes(board, 0, () => Atomics.load(board.signals, place) === number);
}

/** Whether a worker sleeps, and is to be told of what was put up. Asking wakes it: who is told yes sends the message. */
export function isToBeWoken({ signals }: Board, worker: number): boolean {
  return Atomics.exchange(signals, asleep + worker, 0) === 1;
}

function comes({ signals }: Board, worker: number, isThere: () => boolean): boolean {
  const end = performance.now() + patienceMs;
  while (!isThere()) {
    if (performance.now() <= end) continue;
    Atomics.store(signals, asleep + worker, 1);
    // Who put it up just before that saw nobody sleep.
    if (!isThere()) return false;
    Atomics.store(signals, asleep + worker, 0);
  }
  return true;
}

function placeOf({ workers }: Board, worker: number): number {
  return asleep + workers + worker;
}

function idsOf({ inputs, weights }: Batch): number {
  return (weights ? 3 : 2) * inputs.length * inputs[0].length;
}
