/**
 * The interface of a device: memory, and one kernel for each operation. `device_backend.ts` adds shapes, scopes and
 * the counting of bytes, which are the same for all devices.
 *
 * @module
 */
import type { Call } from "../runtime/recording.ts";
import type { Replayer } from "../runtime/replay.ts";
import type { BackwardKernelOf, KernelOf } from "../operation.ts";
import type { operations } from "../ops/list.ts";
import type { Floats, Tensor } from "../tensor.ts";
import type { DeviceTensor, TensorStore } from "./tensor_store.ts";

type Declarations = (typeof operations)[number]["declaration"];

/**
 * One kernel for each operation and one for its gradient, over memory `M` of the device: a typed array, an address,
 * a GPU buffer. The order of arguments is the same on every device: outputs, inputs, sizes, constants. A gradient's
 * kernel takes the inputs' gradients, the outputs' gradients, the tensors that it needs, and the same sizes and
 * constants. A kernel writes every element of its outputs, reads none of them, and changes no input; outputs and
 * inputs never overlap.
 *
 * WebAssembly takes sizes as i32 and WebGPU as u32, unchecked. Both hold at most 2³⁰ elements, so the sizes of
 * non-empty tensors and their products fit. A size of an empty tensor may wrap, but then no element is written.
 */
export type Kernels<M> =
  & { [D in Computed<Declarations> as D["name"]]: KernelOf<M, D> }
  & { [D in Differentiated<Declarations> as `${D["name"]}Backward`]: BackwardKernelOf<M, D> }
  & OtherKernels<M>;

/** Operations with a `compute` function have no sizes. */
type Computed<D> = D extends { sizes?: readonly [] } ? never : D;
type Differentiated<D> = D extends { gradient: { needs: unknown } } ? D : never;

/** Kernels that only `compute` functions call. */
interface OtherKernels<M> {
  /** y[at] = scale·‖x‖, and no other element of y. */
  norm(y: M, x: M, size: number, at: number, scale: number): void;
  /** Copies `rows` rows of `width` elements, with strides of `yStride` and `xStride` elements. */
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
  /**
   * Copies a view of six axes: y[yOffset ...] = x[xOffset + i₀·s₀ + … + i₅·s₅], row-major; strides may be 0 or
   * negative.
   */
  copyStrided(
    y: M,
    yOffset: number,
    x: M,
    xOffset: number,
    n0: number,
    n1: number,
    n2: number,
    n3: number,
    n4: number,
    n5: number,
    s0: number,
    s1: number,
    s2: number,
    s3: number,
    s4: number,
    s5: number,
  ): void;
  /** y `[outer, inner]` = Σ x / divisor over the axis of `size` of x `[outer, size, inner]`. */
  sum(y: M, x: M, outer: number, size: number, inner: number, divisor: number): void;
  /** y `[batch, rows, columns]` = a·b (form 0), a·bᵀ (1) or aᵀ·b (2); a step of 0 is one matrix for all. */
  matmul(
    y: M,
    a: M,
    b: M,
    batch: number,
    rows: number,
    inner: number,
    columns: number,
    aStep: number,
    bStep: number,
    form: number,
  ): void;
}

/** The parts of a device that a `compute` function may use. */
export interface Workspace<M> {
  readonly store: TensorStore<M>;
  /** The memory of a tensor, row-major without gaps. */
  memory(x: Tensor): M;
  /** Calls a kernel. */
  call<K extends keyof Kernels<M>>(name: K, ...args: Parameters<Kernels<M>[K]>): void;
  /** Copies the steps of `x` to the cache `y`, from step `start` on. */
  copySteps(y: DeviceTensor<M>, start: number, x: DeviceTensor<M>): void;
  upload(memory: M, data: ArrayLike<number>): void;
}

/** A device. Sizes of its memory are in elements. */
export interface Device<M> {
  readonly name: string;
  /** The options that create another backend of the same kind. */
  readonly options?: unknown;
  readonly kernels: Kernels<M>;
  /**
   * For kernels with scratch memory as an additional last argument: its number of elements, from the sizes and
   * constants of the call. For 0 elements, the kernel gets null.
   */
  readonly scratch?: {
    readonly [K in keyof Kernels<M>]?: (...sizes: number[]) => number;
  };
  /** The maximum number of bytes, if known. */
  readonly maximumBytes?: number;
  /** See `Engine`. */
  readonly workAtOnce: number;
  /** The number of bytes that a block of this many elements takes up. */
  bytesFor(size: number): number;
  /** The number of elements that such a block can hold, if it is larger. */
  capacityFor?(size: number): number;
  /** Allocates a block of `size` elements with any contents. Throws a RangeError if memory is exhausted. */
  allocate(size: number): M;
  /** Releases a block. */
  release(memory: M, size: number): void;
  upload(memory: M, data: ArrayLike<number>): void;
  /** Copies the first `size` elements, to `out` if the device supports that. */
  download(memory: M, size: number, out?: Floats): Floats | Promise<Floats>;
  /**
   * Only if `download` returns promises: makes the next one reject with the error for the first element that is not
   * 0.
   */
  expectZeros?(memory: M, size: number, errorAt: (index: number) => Error): void;
  /** Whether an argument of a kernel is memory, for devices whose memory is a number. */
  isMemory?(kernel: string, at: number): boolean;
  /** Creates a replayer that is faster than a loop over the kernels; `allocate` provides its memory. */
  replayer?(
    calls: readonly Call[],
    slotCount: number,
    allocate: (size: number) => { readonly memory: M; readonly free: () => void },
  ): Replayer<M>;
  /** Releases all memory. */
  dispose(): void;
}
