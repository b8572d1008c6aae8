/**
 * What a device must bring to become a backend: memory, and one kernel an operation. The shapes, the scopes and
 * the counting of bytes are the same for all devices and stand in `device_backend.ts`.
 *
 * @module
 */
import type { Floats } from "../tensor.ts";

type SequenceSizes = [batch: number, time: number, channels: number];
type RotarySizes = [...SequenceSizes, heads: number, position: number, base: number];
/** Keys and values of a sequence are `keyCapacity` and `valueCapacity` rows apart, of which `keyTime` are filled. */
type AttentionSizes = [
  batch: number,
  queryTime: number,
  keyTime: number,
  keyCapacity: number,
  valueCapacity: number,
  channels: number,
  heads: number,
];

/**
 * One kernel an operation, over memory `M` of the device: a typed array, an address, a GPU buffer. The order of
 * arguments is the same on every device: outputs, inputs, sizes, constants. A kernel writes every element of its
 * outputs, reads none of them, and changes no input; outputs and inputs never overlap.
 *
 * WebAssembly takes sizes as i32 and WebGPU as u32, and neither checks them. They need not: what is in the memory of
 * either has at most 2³⁰ elements, so the sizes of a tensor that holds any, and their products, fit. An empty tensor may have
 * a size that does not, but then no element is written, whatever the size became.
 */
export interface Kernels<M> {
  embedding(y: M, ids: M, weight: M, count: number, vocabulary: number, channels: number): void;
  linear(
    y: M,
    x: M,
    weight: M,
    bias: M | null,
    rows: number,
    inputs: number,
    outputs: number,
  ): void;
  layerNorm(y: M, x: M, weight: M, bias: M, rows: number, channels: number, epsilon: number): void;
  add(y: M, a: M, b: M, size: number): void;
  multiply(y: M, a: M, b: M, size: number): void;
  mix(y: M, x: M, before: M, ratio: M, rows: number, channels: number): void;
  sigmoid(y: M, x: M, size: number): void;
  tanh(y: M, x: M, size: number): void;
  squaredRelu(y: M, x: M, size: number): void;
  gelu(y: M, x: M, size: number): void;
  negativeExp(y: M, x: M, size: number): void;
  softmax(y: M, x: M, rows: number, channels: number): void;
  shiftTime(y: M, x: M, first: M, ...sizes: SequenceSizes): void;
  lastStep(y: M, x: M, ...sizes: SequenceSizes): void;
  wkv(y: M, nextState: M, decay: M, bonus: M, key: M, value: M, state: M, ...sizes: SequenceSizes): void;
  rotary(y: M, x: M, ...sizes: RotarySizes): void;
  attention(y: M, query: M, key: M, value: M, ...sizes: [...AttentionSizes, scratch?: M]): void;
  lstmRecurrence(
    y: M,
    nextHidden: M,
    nextCell: M,
    gates: M,
    hiddenWeight: M,
    hidden: M,
    cell: M,
    ...sizes: [...SequenceSizes, scratch?: M]
  ): void;
  crossEntropy(loss: M, logits: M, targets: M, weights: M | null, rows: number, vocabulary: number): void;
  /** The number of the draw is `base`, and `step` more where there is one. */
  sample(
    ids: M,
    logits: M,
    step: M | null,
    rows: number,
    vocabulary: number,
    temperature: number,
    topK: number,
    topP: number,
    seed: number,
    base: number,
  ): void;
  embeddingBackward(gWeight: M, gy: M, ids: M, count: number, vocabulary: number, channels: number): void;
  /** gx = gy·W */
  linearBackwardInput(gx: M, gy: M, weight: M, rows: number, inputs: number, outputs: number): void;
  /** gWeight = gyᵀ·x, gBias = Σ gy */
  linearBackwardWeight(
    gWeight: M,
    gBias: M | null,
    gy: M,
    x: M,
    rows: number,
    inputs: number,
    outputs: number,
  ): void;
  layerNormBackward(
    gx: M,
    gWeight: M,
    gBias: M,
    gy: M,
    x: M,
    weight: M,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  mixBackward(
    gx: M,
    gBefore: M,
    gRatio: M,
    gy: M,
    x: M,
    before: M,
    ratio: M,
    rows: number,
    channels: number,
  ): void;
  sigmoidBackward(gx: M, gy: M, x: M, size: number): void;
  tanhBackward(gx: M, gy: M, x: M, size: number): void;
  squaredReluBackward(gx: M, gy: M, x: M, size: number): void;
  negativeExpBackward(gx: M, gy: M, x: M, size: number): void;
  geluBackward(gx: M, gy: M, x: M, size: number): void;
  softmaxBackward(gx: M, gy: M, y: M, rows: number, channels: number): void;
  shiftTimeBackward(gx: M, gFirst: M, gy: M, ...sizes: SequenceSizes): void;
  lastStepBackward(gx: M, gy: M, ...sizes: SequenceSizes): void;
  wkvBackward(
    gDecay: M,
    gBonus: M,
    gKey: M,
    gValue: M,
    gState: M,
    gy: M,
    gNextState: M,
    decay: M,
    bonus: M,
    key: M,
    value: M,
    state: M,
    y: M,
    ...sizes: [...SequenceSizes, scratch?: M]
  ): void;
  rotaryBackward(gx: M, gy: M, ...sizes: RotarySizes): void;
  /** Gradients of keys and values are without gaps, whatever the capacities. */
  attentionBackward(
    gQuery: M,
    gKey: M,
    gValue: M,
    gy: M,
    query: M,
    key: M,
    value: M,
    y: M,
    ...sizes: [...AttentionSizes, scratch?: M]
  ): void;
  /** `preactivations` are `gates_t + U h_{t-1}`; gy, gNextHidden and gNextCell are those of the three results. */
  lstmRecurrenceBackward(
    gPreactivations: M,
    gHidden: M,
    gCell: M,
    gy: M,
    gNextHidden: M,
    gNextCell: M,
    preactivations: M,
    hiddenWeight: M,
    cell: M,
    ...sizes: [...SequenceSizes, scratch?: M]
  ): void;
  crossEntropyBackward(
    gLogits: M,
    gLoss: M,
    logits: M,
    targets: M,
    weights: M | null,
    rows: number,
    vocabulary: number,
  ): void;
  /**
   * The one kernel that changes what it is given: where a next variance is infinite, `overflows[leaf]` becomes 1. `rate` and
   * `step` are single numbers; steps are counted from 1.
   */
  adamW(
    nextParam: M,
    nextMean: M,
    nextVariance: M,
    overflows: M,
    param: M,
    grad: M,
    mean: M,
    variance: M,
    rate: M,
    step: M,
    size: number,
    leaf: number,
    rateFactor: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    weightDecay: number,
  ): void;
  /** y[at] = scale·‖x‖, and no other element of y. */
  norm(y: M, x: M, size: number, at: number, scale: number): void;
  /** `norm` is a single number, times `scale`. */
  clipToNorm(y: M, x: M, norm: M, size: number, maxNorm: number, scale: number): void;
  /** Copies `rows` rows of `width` elements; rows start `yStride` and `xStride` elements apart. */
  copyRows(
    y: M,
    yOffset: number,
    yStride: number,
    x: M,
    xOffset: number,
    xStride: number,
    rows: number,
    width: number,
  ): void;
}

/** Kernels that only some devices have. */
export interface ExtraKernels<M> {
  /** All blocks of an RWKV: of each 18 weights, 3 states and its number of features. */
  rwkvBlocks(
    y: M,
    nextStates: readonly M[],
    weights: readonly M[],
    x: M,
    states: readonly M[],
    batch: number,
    time: number,
    channels: number,
    features: readonly number[],
    epsilon: number,
    scratch: M,
  ): void;
}

/** The memory of a device, in elements. */
export interface Device<M> {
  readonly name: string;
  /** What the function that makes such a backend must be told to make another of the same kind. */
  readonly options?: unknown;
  readonly kernels: Kernels<M> & Partial<ExtraKernels<M>>;
  /**
   * For kernels that take scratch memory as their last argument, its elements, given the sizes and constants that the
   * kernel is told; at 0 elements it is told of none.
   */
  readonly scratch?: {
    readonly [K in keyof (Kernels<M> & ExtraKernels<M>)]?: (...sizes: number[]) => number;
  };
  /** The most bytes that it may hold, where that is known. */
  readonly maximumBytes?: number;
  /** See `Backend`. */
  readonly workAtOnce: number;
  /** The bytes that a block of this many elements takes up. */
  bytesFor(size: number): number;
  /** A block of `size` elements with any contents. Throws a RangeError where there is none left. */
  allocate(size: number): M;
  /** Gives a block back. */
  release(memory: M, size: number): void;
  upload(memory: M, data: ArrayLike<number>): void;
  /** A copy of the first `size` elements, in `room` if the device can put it there. */
  download(memory: M, size: number, room?: Floats): Floats | Promise<Floats>;
  /** Only where `download` gives promises: the next one rejects with the error of the first element that is not 0. */
  expectZeros?(memory: M, size: number, errorAt: (index: number) => Error): void;
  /** Gives all memory back. */
  dispose(): void;
}
