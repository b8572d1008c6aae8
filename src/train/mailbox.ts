/**
 * Work that is handed over in shared memory. A thread that waits for a message sleeps, and comes back late: by half a
 * millisecond each way, where a step of a small model takes twenty. So whoever waits looks here first, for a moment.
 *
 * @module
 */
import type { Batch } from "./batches.ts";
import { sharedNumbers } from "./flat.ts";

/** What two threads share: one asks, the other answers. */
export interface Mailbox {
  /** The numbers of the last question and of the last answer, and how many sequences of what length are asked for. */
  readonly signals: Int32Array;
  /** All inputs, then all targets; doubles, so that what is no id is found by who checks them. */
  readonly ids: Float64Array;
  /** The parameters, flat. */
  readonly params: Float32Array;
  /** The answer: the mean loss of the sequences, and its gradients, flat. */
  readonly loss: Float64Array;
  readonly grads: Float32Array;
}

/** Places in `signals`. */
const asked = 0, answered = 1, rows = 2, length = 3;

/** How long one looks; longer than an update of parameters takes, too short to be noticed by who waits for this thread. */
const patienceMs = 4;

/** A mailbox for batches like this one; undefined where the runtime shares no memory. */
export function openMailbox(params: Float32Array, batch: Batch): Mailbox | undefined {
  const grads = sharedNumbers(params.length);
  if (grads === undefined) return undefined;
  const ids = new Float64Array(new SharedArrayBuffer(8 * idsOf(batch)));
  const signals = new Int32Array(new SharedArrayBuffer(16)),
    loss = new Float64Array(new SharedArrayBuffer(8));
  return { signals, ids, params, loss, grads };
}

/** Whether a batch finds room. */
export function fits({ ids }: Mailbox, batch: Batch): boolean {
  return idsOf(batch) <= ids.length;
}

/** Puts a question in. */
export function putQuestion({ signals, ids }: Mailbox, number: number, { inputs, targets }: Batch): void {
  let at = 0;
  for (const row of [...inputs, ...targets]) {
    ids.set(row, at);
    at += row.length;
  }
  signals[rows] = inputs.length;
  signals[length] = inputs[0].length;
  Atomics.store(signals, asked, number);
}

/** The batch of the last question, where it stands: until the next one. */
export function takeQuestion({ signals, ids }: Mailbox): Batch {
  const count = signals[rows], size = signals[length];
  const sequences = Array.from({ length: 2 * count }, (_, i) => ids.subarray(i * size, (i + 1) * size));
  return { inputs: sequences.slice(0, count), targets: sequences.slice(count) };
}

/** Puts the answer in; its gradients are there already. */
export function putAnswer({ signals, loss }: Mailbox, number: number, mean: number): void {
  loss[0] = mean;
  Atomics.store(signals, answered, number);
}

/** Whether the question of a number is there, or comes in a moment. */
export function isAsked({ signals }: Mailbox, number: number): boolean {
  return comes(signals, asked, number);
}

/** Whether the answer of a number is there, or comes in a moment. */
export function isAnswered({ signals }: Mailbox, number: number): boolean {
  return comes(signals, answered, number);
}

function comes(signals: Int32Array, place: number, number: number): boolean {
  const end = performance.now() + patienceMs;
  while (Atomics.load(signals, place) !== number) {
    if (performance.now() > end) return false;
  }
  return true;
}

function idsOf({ inputs }: Batch): number {
  return 2 * inputs.length * inputs[0].length;
}
