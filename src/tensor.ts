/**
 * The two interfaces that everything else speaks: a {@linkcode Tensor} is data that lives on a
 * {@linkcode Backend}, and a backend computes where its tensors live.
 *
 * @module
 */

/**
 * A row-major array of numbers on a backend. Its values are read with {@linkcode read}; they never change.
 */
export interface Tensor {
  /** The sizes, outermost first; `[]` is a single number. */
  readonly shape: readonly number[];
  /** Where the values live, and so where every operation on them runs. */
  readonly backend: Backend;
}

/** The numbers of a tensor in host memory: double precision only on a float64 reference. */
export type Floats = Float32Array | Float64Array;

/** What a backend holds, in bytes; capacity counts, not just what is filled. */
export interface MemoryUse {
  /** Held now. Exact where `scope` and `free` are used, an upper bound otherwise. */
  readonly bytes: number;
  /** The most that was held at once since the last `resetPeak()`. */
  readonly peakBytes: number;
}

/**
 * Where tensors live and operations run. Made by `createBackend`, `createWasm`, `createWebGpu` and `createReference`; what
 * it computes are the operations, public functions that find it by their tensors.
 *
 * @example Intermediate results are freed where a scope ends
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
   * Runs `body` and frees every tensor that it made here and that its result (a tree: nested plain objects and
   * arrays) does not hold. A body that throws frees all of them.
   *
   * @throws {TypeError} if the body returns a promise: a scope ends when its body returns
   */
  scope<R>(body: () => R): R;
  /** Frees the tensors of a tree now; using one afterwards throws a TypeError. Freeing twice changes nothing. */
  free(tree: unknown): void;
  /** The bytes held now, and the most since {@linkcode resetPeak}. */
  memory(): MemoryUse;
  /** Makes the bytes held now the new peak. */
  resetPeak(): void;
  /** Frees everything; the backend and its tensors can't be used afterwards. */
  [Symbol.dispose](): void;
}
