/**
 * Work that is handed out in shared memory: a batch in parts, of which each worker has one of its own, and draws others
 * until there are none. So the faster of two cores does more, and who is late is waited for by a small part only. A
 * thread that waits for a message sleeps, and comes back late: by half a millisecond each way, where a step of a small
 * model takes twenty. So whoever waits looks here first, for a moment; who then sleeps says so, and is woken by a message.
 *
 * @module
 */
import type { Floats } from "../tensor.ts";
import { type Batch, countParts } from "./batches.ts";
import { type Kind, sharedNumbers } from "./flat.ts";

/** What the workers share: the caller asks, all of them answer. */
export interface Board {
  /** How many share it. */
  readonly workers: number;
  /** See the places below. */
  readonly signals: Int32Array;
  /** All inputs, then all targets; doubles, so that what is no id is found by who checks them. */
  readonly ids: Float64Array;
  /** The parameters, flat. */
  readonly params: Floats;
  /** Of each part, its share of the mean loss, and the gradients of that, flat. */
  readonly losses: Float64Array;
  readonly grads: readonly Floats[];
}

/**
 * Places in `signals`: the number of the last question, how many sequences of what length it has, the next ticket, the first
 * of this question's, from `asleep` on of each worker whether it sleeps, and then of each part the last question that it
 * was done for. Tickets are numbered through all questions, so that none of the next question is drawn for one of the
 * last.
 */
const asked = 0, rows = 1, length = 2, ticket = 3, firstTicket = 4, asleep = 5;

/** How long one looks for a question, or for a part that is not done; longer than an update of parameters takes. */
const patienceMs = 4;

/** A board for batches like this one; undefined where the runtime shares no memory. */
export function openBoard(workers: number, params: Floats, batch: Batch): Board | undefined {
  const parts = countParts(batch, workers);
  const Numbers = params.constructor as Kind;
  const grads = Array.from({ length: parts }, () => sharedNumbers(Numbers, params.length));
  if (grads.includes(undefined)) return undefined;
  const signals = new Int32Array(new SharedArrayBuffer(4 * (asleep + workers + parts)));
  // The others have not heard of it.
  signals.fill(1, asleep + 1, asleep + workers);
  return {
    workers,
    signals,
    ids: new Float64Array(new SharedArrayBuffer(8 * idsOf(batch))),
    params,
    losses: new Float64Array(new SharedArrayBuffer(8 * parts)),
    grads: grads as Floats[],
  };
}

/** Whether a batch finds room. */
export function fits({ workers, ids, grads }: Board, batch: Batch): boolean {
  return idsOf(batch) <= ids.length && countParts(batch, workers) <= grads.length;
}

/** A question that was put up. */
export interface Question {
  readonly number: number;
  /** Where it stands: until the next one. */
  readonly batch: Batch;
  /** The first ticket for a part of it. */
  readonly first: number;
}

/** Puts a question up, and gives the first ticket for a part of it; the question before must be answered. */
export function putQuestion({ signals, ids }: Board, number: number, { inputs, targets }: Batch): number {
  // Who looks meanwhile finds none.
  Atomics.store(signals, asked, 0);
  let at = 0;
  for (const row of [...inputs, ...targets]) {
    ids.set(row, at);
    at += row.length;
  }
  signals[rows] = inputs.length;
  signals[length] = inputs[0].length;
  signals[firstTicket] = signals[ticket];
  Atomics.store(signals, asked, number);
  return signals[firstTicket];
}

/** The last question, if it is newer than that of a number, or if one comes in a moment; none: the worker now sleeps. */
export function takeQuestion(board: Board, worker: number, after: number): Question | undefined {
  const { signals, ids } = board;
  while (comes(board, worker, () => Atomics.load(signals, asked) > after)) {
    const number = Atomics.load(signals, asked), first = signals[firstTicket];
    const count = signals[rows], size = signals[length];
    const sequences = Array.from({ length: 2 * count }, (_, i) => ids.subarray(i * size, (i + 1) * size));
    const batch = { inputs: sequences.slice(0, count), targets: sequences.slice(count) };
    // A worker that has no part in a question may look while the next is put up.
    if (number > after && Atomics.load(signals, asked) === number) return { number, batch, first };
  }
}

/**
 * The parts of a question that a worker is to do, of so many: its own, then as long as there are any the next that nobody
 * has drawn.
 */
export function* drawParts(board: Board, first: number, worker: number, parts: number): Generator<number> {
  const { signals, workers } = board, end = first + parts - workers;
  if (worker < parts) yield worker;
  for (let next = Atomics.load(signals, ticket); next < end; next = Atomics.load(signals, ticket)) {
    if (Atomics.compareExchange(signals, ticket, next, next + 1) === next) yield workers + next - first;
  }
}

/** The parts that a worker is to do where they can't be drawn. */
export function* dealParts(worker: number, workers: number, parts: number): Generator<number> {
  for (let part = worker; part < parts; part += workers) yield part;
}

/** Says that a part is done; its gradients are there already. */
export function putAnswer(board: Board, number: number, part: number, loss: number): void {
  board.losses[part] = loss;
  Atomics.store(board.signals, placeOf(board, part), number);
}

/** Whether a part of the question of a number is done, or will be in a moment; if not, a worker that asked now sleeps. */
export function isAnswered(board: Board, worker: number, number: number, part: number): boolean {
  const place = placeOf(board, part);
  return comes(board, worker, () => Atomics.load(board.signals, place) === number);
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

function placeOf({ workers }: Board, part: number): number {
  return asleep + workers + part;
}

function idsOf({ inputs }: Batch): number {
  return 2 * inputs.length * inputs[0].length;
}
