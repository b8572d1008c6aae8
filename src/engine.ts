/**
 * A backend as operations see it: what it does beyond what its users call.
 *
 * @module
 */
import type { Operation } from "./operation.ts";
import type { Backend, Floats, Tensor } from "./tensor.ts";

/** What every backend is. */
export interface Engine extends Backend {
  /** What the function that makes such a backend must be told to make another of the same kind; none: nothing. */
  readonly options?: unknown;
  /**
   * How many multiplications keep the caller's thread busy for about ten ms, so that long work leaves room for the event loop;
   * Infinity where the device computes beside that thread.
   */
  readonly workAtOnce?: number | undefined;
  /** Only where the backend records for gradients: the one inside it, whose tensors it takes as constants. */
  readonly inner?: Backend | undefined;
  /** Runs an operation on inputs of its declaration that are checked, with its constants. */
  run(operation: Operation, inputs: readonly (Tensor | undefined)[], constants: readonly number[]): Tensor[];
  /** Copies numbers onto the backend. */
  upload(data: ArrayLike<number>, shape: readonly number[]): Tensor;
  /**
   * Copies a tensor's numbers into host memory; a promise only where the device can't answer at once. `room` is where they may
   * be put instead of into an array of their own; which of the two it was, the result tells.
   */
  download(x: Tensor, room?: Floats): Floats | Promise<Floats>;
  /** An empty `[B, 0, C]` with room for `capacity` steps, for `appendTime` to fill in place. */
  reserveTime(batch: number, capacity: number, channels: number): Tensor;
  /**
   * Runs `body`, then `after` with its result. What scopes and `free` would free inside `body` is freed only when
   * `after` is done: how a recording keeps what its gradients need.
   */
  hold<A, R>(body: () => A, after: (result: A) => R): R;
  /**
   * Throws the error of the first number of a tensor that is not 0: at once where the device answers at once; elsewhere the
   * promise of the next download rejects with it, once. The tensor may be freed right away.
   */
  expectZeros(x: Tensor, errorAt: (index: number) => Error): void;
}

/** A backend as operations see it. */
export function engineOf(backend: Backend): Engine {
  return backend as Engine;
}
