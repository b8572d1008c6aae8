/**
 * What `fit` trains, seen from the training loop: a mean loss over batches that can be divided into parts.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { engineOf } from "../engine.ts";
import type { Rows } from "../models/batches.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { sizeOf, tensorsOf } from "../tree.ts";

/** A part of a batch, and its share of the batch's total length. */
export type Part<Batch> = Batch & { readonly share: number };

/** A batch as arguments of its loss. */
export interface Inputs {
  /** New tensors; null if there are none. */
  readonly tensors: unknown;
  /** Lists of ids. */
  readonly lists: readonly unknown[];
}

/** The loss of a batch. It suffices for computing gradients, as workers do. */
export interface BatchLoss<Params, Batch> {
  /**
   * The mean loss, and the state after the batch: null unless it is carried to the next batch. It is compiled.
   *
   * @param state the state before the batch; null: the initial one
   */
  loss(
    params: Params,
    state: unknown,
    tensors: unknown,
    ...lists: readonly never[]
  ): readonly [loss: Tensor, state: unknown];
  /** The other arguments of `loss`. */
  inputsOf(batch: Batch, backend: Backend): Inputs;
  /** The number of parts in which a batch is computed on one thread. */
  partsOf(params: Params, batch: Batch, backend: Backend): number;
  /** Divides a batch into parts, at most as many as it has rows. */
  split(batch: Batch, parts: number): readonly Part<Batch>[];
  /** The number of rows of the state that belong to a batch. */
  rowsOf(batch: Batch): number;
}

/** How workers find the loss: a language model by its name, or a function. */
export type Source =
  | { readonly kind: "model"; readonly name: string; readonly isLibraryModel: boolean }
  | { readonly kind: "loss"; readonly name: string | undefined; readonly seed: number };

/** What the training loop requires of its objective. */
export interface Objective<Params, Batch, Test> extends BatchLoss<Params, Batch> {
  /** Its name in checkpoints. */
  readonly name: string;
  readonly source: Source;
  /** Whether batches are lists of ids that fit into a {@linkcode Mailbox}. */
  readonly usesMailbox: boolean;
  /** A hash of the training examples. */
  fingerprint(): string;
  /** The batches of an epoch. All epochs have equally many. */
  orderOf(epoch: number): readonly Rows[];
  /** The batch of some examples; `draw` is the number of examples in the batches before it, from the first step on. */
  batchAt(rows: Rows, draw: number): Batch;
  /** The total length of a batch, by which its mean loss is weighted. */
  lengthOf(batch: Batch): number;
  /** A part of a batch as it is sent to a worker. */
  messageOf(part: Part<Batch>, params: Params, backend: Backend): { readonly share: number };
  /** Evaluates the test examples, which must exist. */
  evaluate(params: Params, signal: AbortSignalLike | undefined): Promise<Test>;
}

/** The bounds of `parts` parts of `count` rows, as equal as possible, the first no larger than the others. */
export function boundsOf(count: number, parts: number): { readonly start: number; readonly end: number }[] {
  const nonEmpty = Math.min(parts, count);
  const startOf = (part: number) => Math.floor(part * count / nonEmpty);
  return Array.from({ length: nonEmpty }, (_, part) => ({ start: startOf(part), end: startOf(part + 1) }));
}

/**
 * The number of parts in which rows of a length go through the largest of the parameters: less than 10 ms for a
 * product, since a gradient may be a single kernel that takes longer; and at least one row.
 */
export function partsFor(params: unknown, rows: number, length: number, backend: Backend): number {
  const { workAtOnce = Infinity } = engineOf(backend);
  if (workAtOnce === Infinity) return 1;
  const largest = Math.max(...tensorsOf(params).map(({ shape }) => sizeOf(shape)));
  const atOnce = 0.75 * workAtOnce / (length * largest);
  return Math.ceil(rows / Math.max(1, Math.floor(atOnce)));
}
