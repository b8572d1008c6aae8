/**
 * A mailbox in shared memory, through which the caller's thread posts batches to the workers and receives their
 * results. A thread that waits for a message sleeps and wakes up half a millisecond late, in a step of a small model
 * that takes twenty. Whoever waits therefore polls the mailbox for a moment first. Before it sleeps, it sets a flag,
 * and is then woken by a message.
 *
 * @module
 */
import { sharedHostArray } from "../allocate.ts";
import type { Batch } from "../models/batches.ts";
import type { Floats } from "../tensor.ts";
import { type FloatsConstructor, sharedNumbers } from "./ravel.ts";

/** The memory that the workers share. The first worker posts jobs, and all compute their parts of them. */
export interface Mailbox {
  /** The number of workers. */
  readonly workers: number;
  /** See the indices below. */
  readonly signals: Int32Array;
  /**
   * All inputs, then all targets, then all weights, if any. Doubles, so that invalid ids reach the checks unchanged.
   */
  readonly ids: Float64Array;
  /** The raveled parameters. */
  readonly params: Floats;
  /** For each worker, its part's share of the mean loss, and the raveled gradients of that. */
  readonly losses: Float64Array;
  readonly grads: readonly Floats[];
}

/**
 * Indices in `signals`: the number of the last job, the number and length of its sequences, whether it has weights;
 * from `asleep` on, whether each worker is asleep; and then the last job that each worker has completed.
 */
const posted = 0, rows = 1, length = 2, weighted = 3, asleep = 4;

/** The time of polling in ms; longer than an update of parameters takes. */
const pollMs = 4;

/** A mailbox for batches of at most this size; undefined if the runtime shares no memory. */
export function openMailbox(workers: number, params: Floats, batch: Batch): Mailbox | undefined {
  const Numbers = params.constructor as FloatsConstructor;
  const grads = Array.from({ length: workers }, () => sharedNumbers(Numbers, params.length));
  if (grads.includes(undefined)) return undefined;
  const signals = new Int32Array(new SharedArrayBuffer(4 * (asleep + 2 * workers)));
  // The other workers do not know the new mailbox yet, so they must be sent a message.
  signals.fill(1, asleep + 1, asleep + workers);
  return {
    workers,
    signals,
    ids: sharedHostArray("fit", Float64Array, sizeOf(batch)),
    params,
    losses: new Float64Array(new SharedArrayBuffer(8 * workers)),
    grads: grads as Floats[],
  };
}

/** Whether a batch fits into the mailbox. */
export function fits({ ids }: Mailbox, batch: Batch): boolean {
  return sizeOf(batch) <= ids.length;
}

/** A job for the workers. */
interface Job {
  readonly number: number;
  /** Views of the mailbox, valid until the next job is posted. */
  readonly batch: Batch;
}

/** Posts a job. All workers must have completed the job before. */
export function postJob(
  { signals, ids }: Mailbox,
  number: number,
  { inputs, targets, weights }: Batch,
): void {
  // While the batch is written, there is no job.
  Atomics.store(signals, posted, 0);
  let at = 0;
  for (const row of [...inputs, ...targets, ...weights ?? []]) {
    ids.set(row, at);
    at += row.length;
  }
  signals[rows] = inputs.length;
  signals[length] = inputs[0].length;
  signals[weighted] = weights ? 1 : 0;
  Atomics.store(signals, posted, number);
}

/**
 * Waits a moment for a job newer than number `after`. If there is none, returns undefined; the worker is then asleep.
 */
export function takeJob(mailbox: Mailbox, worker: number, after: number): Job | undefined {
  const { signals, ids } = mailbox;
  while (poll(mailbox, worker, () => Atomics.load(signals, posted) > after)) {
    const number = Atomics.load(signals, posted), count = signals[rows], size = signals[length];
    const lists = (from: number) =>
      Array.from({ length: count }, (_, i) => ids.subarray((from + i) * size, (from + i + 1) * size));
    const batch = {
      inputs: lists(0),
      targets: lists(count),
      weights: signals[weighted] ? lists(2 * count) : undefined,
    };
    // A worker that has no part in a job may read while the next one is being written.
    if (number > after && Atomics.load(signals, posted) === number) return { number, batch };
  }
}

/** Marks a worker's part of a job as completed; its gradients are in the mailbox already. */
export function postResult(mailbox: Mailbox, worker: number, number: number, loss: number): void {
  mailbox.losses[worker] = loss;
  Atomics.store(mailbox.signals, completedBy(mailbox, worker), number);
}

/** Waits a moment until a worker has completed a job. If it has not, returns false; the first worker is then asleep. */
export function hasResult(mailbox: Mailbox, worker: number, number: number): boolean {
  const index = completedBy(mailbox, worker);
  return poll(mailbox, 0, () => Atomics.load(mailbox.signals, index) === number);
}

/** Whether a worker is asleep, so that the caller must send it a message. Resets the flag, so that it is sent once. */
export function mustWake({ signals }: Mailbox, worker: number): boolean {
  return Atomics.exchange(signals, asleep + worker, 0) === 1;
}

function poll({ signals }: Mailbox, worker: number, isDone: () => boolean): boolean {
  const end = performance.now() + pollMs;
  while (!isDone()) {
    if (performance.now() <= end) continue;
    Atomics.store(signals, asleep + worker, 1);
    // A thread that posted just before this did not see the flag.
    if (!isDone()) return false;
    Atomics.store(signals, asleep + worker, 0);
  }
  return true;
}

/** The index in `signals` of the last job that a worker has completed. */
function completedBy({ workers }: Mailbox, worker: number): number {
  return asleep + workers + worker;
}

/** The number of ids and weights of a batch. */
function sizeOf({ inputs, weights }: Batch): number {
  return (weights ? 3 : 2) * inputs.length * inputs[0].length;
}
