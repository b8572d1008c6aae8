/**
 * The two interfaces that everything is built on: a {@linkcode Tensor} is data that lives on a {@linkcode Backend},
 * and a backend computes where its tensors live.
 *
 * @module
 */

/** A row-major array of numbers on a backend. Its values never change; {@linkcode read} copies them. */
export interface Tensor {
  /** The sizes, outermost first; `[]` is a single number. */
  readonly shape: readonly number[];
  /** Where the values live, and where every operation on them runs. */
  readonly backend: Backend;
}

/** The numbers of a tensor in host memory; in double precision only on a float64 reference. */
export type Floats = Float32Array | Float64Array;

/** The memory use of a backend in bytes; for a cache, its capacity counts. */
export interface MemoryUse {
  /** The current use. Exact if `scope` and `free` are used, otherwise an upper bound. */
  readonly bytes: number;
  /** The highest use since the last `resetPeak()`. */
  readonly peakBytes: number;
}

/**
 * Where tensors live and operations run. Created by `createBackend`, `createWasm`, `createWebGpu` or
 * `createReference`. The operations are public functions, which find the backend by their tensors.
 *
 * @example Intermediate results are freed at the end of a scope
 * ```ts
 * import { createReference, read, sigmoid, tanh, tensor } from "@seqmix/seqmix";
 *
 * using backend = createReference();
 * const x = tensor([0, 1, 2], [3], backend);
 * const y = backend.scope(() => tanh(sigmoid(x)));
 * console.log(await read(y), backend.memory().bytes); // 24: x and y are held, sigmoid(x) is not
 * ```
 */
export interface Backend {
  /** `"reference"`, `"wasm"` or `"webgpu"`. */
  readonly name: string;
  /**
   * Runs `body` and frees every tensor that it creates on this backend and that is not in its result (a tree: nested
   * plain objects and arrays). If the body throws, all of them are freed.
   *
   * @throws {TypeError} if the body returns a promise: a scope ends when its body returns
   */
  scope<R>(body: () => R): R;
  /**
   * Frees the tensors of a tree now; using one afterwards throws a TypeError. Freeing a tensor twice has no effect.
   */
  free(tree: unknown): void;
  /** The bytes in use now, and the most since {@linkcode resetPeak}. */
  memory(): MemoryUse;
  /** Sets the peak to the bytes in use now. */
  resetPeak(): void;
  /** Frees everything; the backend and its tensors can't be used afterwards. */
  [Symbol.dispose](): void;
}
