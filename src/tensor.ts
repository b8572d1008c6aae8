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
  /** What the function that makes such a backend must be told to make another of the same kind; none: nothing. */
  readonly options?: unknown;
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
  /**
   * Runs `body`, then `after` with its result. What scopes and `free` would free inside `body` is freed only when
   * `after` is done: how a recording keeps what its gradients need. For those who write a backend.
   */
  hold<A, R>(body: () => A, after: (result: A) => R): R;
  /**
   * Throws the error of the first number of a tensor that is not 0: at once where the device answers at once; elsewhere the
   * promise of the next download rejects with it, once. The tensor may be freed right away. For those who write a backend.
   */
  expectZeros(x: Tensor, errorAt: (index: number) => Error): void;
  /** The gradients of the operations. For those who write a backend. */
  readonly backward: BackwardOperations;
  /** Only where the backend runs all blocks of an RWKV in one call. For those who write a backend. */
  readonly rwkvStacks?: RwkvStacks | undefined;
  /**
   * How many multiplications keep the caller's thread busy for about ten ms, so that long work leaves room for the event loop;
   * Infinity where the device computes beside that thread. For those who write a backend.
   */
  readonly workAtOnce?: number | undefined;
  /** Only where the backend records for gradients: the one inside it, whose tensors it takes as constants. */
  readonly inner?: Backend | undefined;
  /** Frees everything; the backend and its tensors can't be used afterwards. */
  [Symbol.dispose](): void;
}

/**
 * Blocks of RWKV in one call, of the same result as their parts: of each block the 18 weights in the order of its
 * parameters' documentation.
 */
export interface RwkvStacks {
  /** What {@linkcode prepare} gave for these very tensors, if it still holds; else they are to be prepared anew. */
  find(weights: readonly Tensor[]): RwkvStack | undefined;
  /** What runs the blocks of these weights, which are checked. */
  prepare(weights: readonly Tensor[]): RwkvStack;
}

/** Runs the blocks. Of each the states are the shift of its time-mix, that of wkv and the shift of its channel-mix. */
export type RwkvStack = (
  x: Tensor,
  states: readonly Tensor[],
  epsilon: number,
) => [y: Tensor, states: Tensor[]];

/**
 * What a backend computes: one method an operation, for those who write a backend. Everybody else calls the
 * public function of the same name, which checks its arguments, says what the operation means, and then calls
 * the method of the backend on which the tensors live.
 */
export interface Operations {
  /** Copies numbers onto the backend. */
  upload(data: ArrayLike<number>, shape: readonly number[]): Tensor;
  /**
   * Copies a tensor's numbers into host memory; a promise only where the device can't answer at once. `room` is where they may
   * be put instead of into an array of their own; which of the two it was, the result tells.
   */
  download(x: Tensor, room?: Floats): Floats | Promise<Floats>;
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
  /** See `lastStep`; `keepTime` leaves an axis of one step. */
  lastStep(x: Tensor, keepTime?: boolean): Tensor;
  /** An empty `[B, 0, C]` with room for `capacity` steps, for {@linkcode appendTime} to fill in place. */
  reserveTime(batch: number, capacity: number, channels: number): Tensor;
  /** See `appendTime`. */
  appendTime(past: Tensor, x: Tensor): Tensor;
  /** See `wkv`. */
  wkv(decay: Tensor, bonus: Tensor, key: Tensor, value: Tensor, state: Tensor): [y: Tensor, state: Tensor];
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
  /** See `sample`: its step is `base`, and `step` more, a single number, where there is one. */
  sample(
    logits: Tensor,
    step: Tensor | null,
    temperature: number,
    topK: number,
    topP: number,
    seed: number,
    base: number,
  ): Tensor;
  /** See `stackStates`: joins along the first axis. */
  concatBatch(parts: readonly Tensor[]): Tensor;
  /** See `sliceState`: the part `start .. end` of the first axis. */
  sliceBatch(x: Tensor, start: number, end: number): Tensor;
  /**
   * One parameter's step of `adamW`: the new parameter and its new moments. Where a new variance is infinite, the element
   * `leaf` of `overflows` becomes 1: the only tensor that an operation writes to. `rate` and `step` are single numbers: η is
   * `rateFactor·rate`, and t is `step`, from 1.
   */
  adamW(
    param: Tensor,
    grad: Tensor,
    mean: Tensor,
    variance: Tensor,
    overflows: Tensor,
    rate: Tensor,
    step: Tensor,
    leaf: number,
    constants: AdamWStep,
  ): [param: Tensor, mean: Tensor, variance: Tensor];
  /** `scale·‖x‖`, the Euclidean norm of all tensors as one vector x, a single number: see `squaredNorm`. */
  norm(tensors: readonly Tensor[], scale: number): Tensor;
  /** `x·min(1, maxNorm / (N + 1e-6))` where `norm` is scale·N: see `clipByGlobalNorm`. */
  clipToNorm(x: Tensor, norm: Tensor, maxNorm: number, scale: number): Tensor;
}

/** The constants of one parameter's step of AdamW. */
export interface AdamWStep {
  /** What the parameter's learning rate is in parts of the step's. */
  readonly rateFactor: number;
  /** β₁, of the mean. */
  readonly beta1: number;
  /** β₂, of the variance. */
  readonly beta2: number;
  /** ε */
  readonly epsilon: number;
  /** λ */
  readonly weightDecay: number;
}

/**
 * The gradients of the operations: from the gradient `gy` of a result, and what the operation was given or returned, to
 * the gradients of what it was given, in the order of its arguments. For those who write a backend; everybody else calls
 * `valueAndGrad`. What is missing here is made of other operations by the rule beside the operation.
 */
export interface BackwardOperations {
  /** The rows of gy added up by their ids. */
  embedding(gy: Tensor, ids: Tensor, vocabulary: number): Tensor;
  /** Of `linear`, for x: `gy·W`. */
  linearInput(gy: Tensor, weight: Tensor): Tensor;
  /** Of `linear`, for the weight, `gyᵀ·x`, and the bias, the sum of gy's rows; null where that is not wanted. */
  linearWeight(gy: Tensor, x: Tensor, bias: boolean): [weight: Tensor, bias: Tensor | null];
  /** Of `layerNorm`. */
  layerNorm(
    gy: Tensor,
    x: Tensor,
    weight: Tensor,
    epsilon: number,
  ): [x: Tensor, weight: Tensor, bias: Tensor];
  /** Of `mix`. */
  mix(gy: Tensor, x: Tensor, before: Tensor, ratio: Tensor): [x: Tensor, before: Tensor, ratio: Tensor];
  /** Of `sigmoid`. */
  sigmoid(gy: Tensor, x: Tensor): Tensor;
  /** Of `tanh`. */
  tanh(gy: Tensor, x: Tensor): Tensor;
  /** Of `squaredRelu`. */
  squaredRelu(gy: Tensor, x: Tensor): Tensor;
  /** Of `gelu`. */
  gelu(gy: Tensor, x: Tensor): Tensor;
  /** Of `negativeExp`. */
  negativeExp(gy: Tensor, x: Tensor): Tensor;
  /** Of `softmax`, from its result. */
  softmax(gy: Tensor, y: Tensor): Tensor;
  /** Of `shiftTime`. */
  shiftTime(gy: Tensor): [x: Tensor, first: Tensor];
  /** Of `lastStep` of a sequence of so many steps. */
  lastStep(gy: Tensor, time: number): Tensor;
  /** Of `appendTime` to a past of so many steps. */
  appendTime(gy: Tensor, before: number): [past: Tensor, x: Tensor];
  /** Of `wkv`. */
  wkv(
    gy: Tensor,
    gNextState: Tensor,
    decay: Tensor,
    bonus: Tensor,
    key: Tensor,
    value: Tensor,
    state: Tensor,
    y: Tensor,
  ): [decay: Tensor, bonus: Tensor, key: Tensor, value: Tensor, state: Tensor];
  /** Of `rotary`: the turn back. */
  rotary(gy: Tensor, heads: number, position: number, base: number): Tensor;
  /** Of `attention`. */
  attention(gy: Tensor, query: Tensor, key: Tensor, value: Tensor, y: Tensor, heads: number): [
    query: Tensor,
    key: Tensor,
    value: Tensor,
  ];
  /** Of `lstmRecurrence`, from its whole pre-activations `a_t = gates_t + U h_{t-1}`, for those and the first state. */
  lstmRecurrence(
    gy: Tensor,
    gNextHidden: Tensor,
    gNextCell: Tensor,
    preactivations: Tensor,
    hiddenWeight: Tensor,
    cell: Tensor,
  ): [preactivations: Tensor, hidden: Tensor, cell: Tensor];
  /** Of `crossEntropy`, for the logits. */
  crossEntropy(gLoss: Tensor, logits: Tensor, targets: Tensor, weights: Tensor | null): Tensor;
  /** Of `sliceBatch`: gy at `start` among `total` sequences, the others 0. */
  sliceBatch(gy: Tensor, start: number, total: number): Tensor;
}

/**
 * The gradient rule of an operation.
 *
 * @param args what it was called with
 * @param results what it returned
 * @param grads of each result, its gradient
 * @param wanted of each argument, whether its gradient is wanted
 * @returns of each argument, its gradient; null for none
 */
export type GradientRule<Operation extends keyof Operations> = (
  args: Parameters<NonNullable<Operations[Operation]>>,
  results: readonly Tensor[],
  grads: readonly Tensor[],
  wanted: readonly boolean[],
) => readonly (Tensor | null)[];
