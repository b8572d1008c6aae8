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
 * Where tensors live and operations run.
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
export interface Backend extends Operations {
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

/**
 * What a backend computes: one method an operation, for those who write a backend. Everybody else calls the
 * public function of the same name, which checks its arguments, says what the operation means, and then calls
 * the method of the backend on which the tensors live.
 */
export interface Operations {
  /** Copies numbers onto the backend. */
  upload(data: ArrayLike<number>, shape: readonly number[]): Tensor;
  /** Copies a tensor's numbers into host memory; a promise only where the device can't answer at once. */
  download(x: Tensor): Floats | Promise<Floats>;
  /** See `embedding`. */
  embedding(ids: Tensor, weight: Tensor): Tensor;
  /** See `linear`. */
  linear(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor;
  /** See `layerNorm`. */
  layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor;
  /** See `add`. */
  add(a: Tensor, b: Tensor): Tensor;
  /** See `multiply`. */
  multiply(a: Tensor, b: Tensor): Tensor;
  /** See `mix`. */
  mix(x: Tensor, before: Tensor, ratio: Tensor): Tensor;
  /** See `sigmoid`. */
  sigmoid(x: Tensor): Tensor;
  /** See `tanh`. */
  tanh(x: Tensor): Tensor;
  /** See `squaredRelu`. */
  squaredRelu(x: Tensor): Tensor;
  /** See `gelu`. */
  gelu(x: Tensor): Tensor;
  /** See `negativeExp`. */
  negativeExp(x: Tensor): Tensor;
  /** See `softmax`. */
  softmax(x: Tensor): Tensor;
  /** See `shiftTime`. */
  shiftTime(x: Tensor, first: Tensor): Tensor;
  /** See `lastStep`. */
  lastStep(x: Tensor): Tensor;
  /** An empty `[B, 0, C]` with room for `capacity` steps, for {@linkcode appendTime} to fill in place. */
  reserveTime(batch: number, capacity: number, channels: number): Tensor;
  /** See `appendTime`. */
  appendTime(past: Tensor, x: Tensor): Tensor;
  /** See `wkv`. */
  wkv(decay: Tensor, bonus: Tensor, key: Tensor, value: Tensor, state: Tensor): [y: Tensor, state: Tensor];
  /** All of `timeMix` in one call: only where a backend has that, and of the same result as its parts. */
  timeMix?(
    mixK: Tensor,
    mixV: Tensor,
    mixR: Tensor,
    decay: Tensor,
    bonus: Tensor,
    key: Tensor,
    value: Tensor,
    receptance: Tensor,
    output: Tensor,
    x: Tensor,
    shift: Tensor,
    wkv: Tensor,
  ): [y: Tensor, shift: Tensor, wkv: Tensor];
  /** All of `channelMix` in one call: only where a backend has that, and of the same result as its parts. */
  channelMix?(
    mixK: Tensor,
    mixR: Tensor,
    key: Tensor,
    receptance: Tensor,
    value: Tensor,
    x: Tensor,
    shift: Tensor,
  ): [y: Tensor, shift: Tensor];
  /** See `rotary`. */
  rotary(x: Tensor, heads: number, position: number, base: number): Tensor;
  /** See `attention`. */
  attention(query: Tensor, key: Tensor, value: Tensor, heads: number): Tensor;
  /** See `lstmRecurrence`. */
  lstmRecurrence(gates: Tensor, hiddenWeight: Tensor, hidden: Tensor, cell: Tensor): [
    y: Tensor,
    hidden: Tensor,
    cell: Tensor,
  ];
  /** See `crossEntropy`. */
  crossEntropy(logits: Tensor, targets: Tensor, weights: Tensor | null): Tensor;
  /** See `sample`. */
  sample(
    logits: Tensor,
    temperature: number,
    topK: number,
    topP: number,
    seed: number,
    step: number,
  ): Tensor;
  /** See `stackStates`: joins along the first axis. */
  concatBatch(parts: readonly Tensor[]): Tensor;
  /** See `sliceState`: the part `start .. end` of the first axis. */
  sliceBatch(x: Tensor, start: number, end: number): Tensor;
}
