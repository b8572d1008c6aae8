/**
 * The reports of a training.
 *
 * @module
 */
import type { Evaluation } from "../models/evaluate.ts";
import type { Backend } from "../tensor.ts";
import type { OptimizerState } from "./adam_w.ts";

/** The state of a training. */
export interface FitProgress<Params, Test = Evaluation, Metrics = unknown> {
  /** The epoch of the last step, counted from 1. */
  readonly epoch: number;
  /** The number of epochs. */
  readonly epochs: number;
  /** The number of steps taken. */
  readonly step: number;
  /** The number of steps in all. */
  readonly steps: number;
  /** The loss of each step since the last report: the mean over its batch's tokens, in nats, or the given loss. */
  readonly losses: readonly number[];
  /** The mean loss per token (or per unit of length) over the epoch so far. */
  readonly trainLoss: number;
  /** The evaluation on the test examples; null except at the end of an epoch, or where `validateEvery` has one. */
  readonly test: Test | null;
  /** What `metrics` gave; null where there is no evaluation. */
  readonly metrics: Metrics | null;
  /** The learning rate of the last step. */
  readonly learningRate: number;
  /**
   * The number of tokens (or units of length) trained on per second since the start or the resumption, without
   * evaluation.
   */
  readonly tokensPerSecond: number;
  /** An estimate of the remaining time, including evaluation. */
  readonly secondsLeft: number;
  /**
   * The backend that the training runs on: the caller's, or else one that `fit` created, which holds `params` and
   * `optimizer`. Once these are no longer needed and the training has ended, `backend[Symbol.dispose]()` frees
   * everything at once; a backend that is not disposed of is garbage-collected with them.
   */
  readonly backend: Backend;
  /**
   * The parameters, on the backend. The next report frees them; the caller owns those of the last report, however the
   * training ends.
   */
  readonly params: Params;
  /** The optimiser's state, like `params`. */
  readonly optimizer: OptimizerState<Params>;
  /** With `carryState`, the state that the next batch starts from, like `params`; null at the end of an epoch. */
  readonly state: unknown;
  /**
   * The bytes of a checkpoint. With the same `hyper`, `workers`, functions among the options and kind of backend, a
   * resumed training has the same losses, bit for bit. Call it before the next report.
   */
  checkpoint(): Promise<Uint8Array<ArrayBuffer>>;
}
