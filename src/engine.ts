/**
 * The internal interface of a backend: what operations use beyond its public interface.
 *
 * @module
 */
import type { GradientRule, Operation } from "./operation.ts";
import type { Backend, Floats, Tensor } from "./tensor.ts";

/** A backend with its internal interface. */
export interface Engine extends Backend {
  /** The options that create another backend of the same kind; undefined if there are none. */
  readonly options?: unknown;
  /**
   * The number of multiplications that keep the caller's thread busy for about 10 ms, so that long computations can
   * yield to the event loop; Infinity if the device computes outside that thread.
   */
  readonly workAtOnce?: number | undefined;
  /** For a recording backend, the backend that it records; its tensors count as constants. */
  readonly inner?: Backend | undefined;
  /** Runs an operation with constants, on inputs that were checked against its declaration. */
  run(operation: Operation, inputs: readonly (Tensor | undefined)[], constants: readonly number[]): Tensor[];
  /**
   * Only of a recording backend: runs `forward` on the backend that it records, with the tensors there of the inputs,
   * and records the whole as one operation with the given gradient rule.
   */
  readonly runUnrecorded?:
    | ((
      inputs: readonly Tensor[],
      forward: (inputs: readonly Tensor[]) => Tensor[],
      rule: GradientRule<readonly (Tensor | undefined)[], readonly Tensor[]>,
    ) => Tensor[])
    | undefined;
  /**
   * Only of a backend that computes: runs `body` in a scope and copies what it returns without having made it, such as
   * its arguments, but for `shared`. A recording frees the results of its operations, so they must be its own.
   */
  ownResults?<T extends Tensor | null>(body: () => readonly T[], shared?: readonly Tensor[]): T[];
  /** Copies numbers to the backend. */
  upload(data: ArrayLike<number>, shape: readonly number[]): Tensor;
  /**
   * Copies a tensor's numbers to host memory; returns a promise only if the device can't read synchronously. `out`
   * is an optional destination. The result is either `out` or a new array.
   */
  download(x: Tensor, out?: Floats): Floats | Promise<Floats>;
  /** Creates an empty `[B, 0, C]` with a capacity of `capacity` steps, which `appendTime` fills in place. */
  reserveTime(batch: number, capacity: number, channels: number): Tensor;
  /**
   * Runs `body`, then `after` with its result. Scopes and `free` inside `body` take effect only after `after`, so
   * that a recording keeps what its gradients need.
   */
  hold<A, R>(body: () => A, after: (result: A) => R): R;
  /**
   * Throws the error for the first non-zero number of a tensor: immediately if the device reads synchronously;
   * otherwise the next download rejects with it, once. The tensor may be freed right away.
   */
  expectZeros(x: Tensor, errorAt: (index: number) => Error): void;
}

/** The internal interface of a backend. */
export function engineOf(backend: Backend): Engine {
  return backend as Engine;
}
