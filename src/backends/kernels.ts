/**
 * What a device must bring to become a backend: memory, and one kernel an operation. Shapes, scopes and the counting of bytes
 * are the same for all devices: `device_backend.ts`.
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
 * One kernel an operation and one its gradient, over memory `M` of the device: a typed array, an address, a GPU buffer. The order
 * of arguments is the same on every device: outputs, inputs, sizes, constants; of a gradient's kernel the
 * inputs' gradients, the outputs' gradients, what it needs, and the same sizes and constants. A kernel writes every element of
 * its outputs, reads none of them, and changes no input; outputs and inputs never overlap.
 *
 * WebAssembly takes sizes as i32 and WebGPU as u32, and neither checks them. They need not: what is in the memory of
 * either has at most 2³⁰ elements, so the sizes of a tensor that holds any, and their products, fit. An empty tensor may have
 * a size that does not, but then no element is written, whatever the size became.
 */
export type Kernels<M> =
  & { [D in Computed<Declarations> as D["name"]]: KernelOf<M, D> }
  & { [D in Differentiated<Declarations> as `${D["name"]}Backward`]: BackwardKernelOf<M, D> }
  & OtherKernels<M>;

/** What is computed by hand has no sizes. */
type Computed<D> = D extends { sizes?: readonly [] } ? never : D;
type Differentiated<D> = D extends { gradient: { needs: unknown } } ? D : never;

/** Kernels that operations call by hand. */
interface OtherKernels<M> {
  /** y[at] = scale·‖x‖, and no other element of y. */
  norm(y: M, x: M, size: number, at: number, scale: number): void;
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

/** What an operation that is computed by hand may use of a device. */
export interface Workspace<M> {
  readonly store: TensorStore<M>;
  /** Where a tensor's values are row-major without gaps. */
  memory(x: Tensor): M;
  /** Calls a kernel. */
  call<K extends keyof Kernels<M>>(name: K, ...args: Parameters<Kernels<M>[K]>): void;
  /** Writes the steps of `x` over those of the cache `y` from `start` on. */
  copySteps(y: DeviceTensor<M>, start: number, x: DeviceTensor<M>): void;
  upload(memory: M, data: ArrayLike<number>): void;
}

/** The memory of a device, in elements. */
export interface Device<M> {
  readonly name: string;
  /** What the function that makes such a backend must be told to make another of the same kind. */
  readonly options?: unknown;
  readonly kernels: Kernels<M>;
  /**
   * For kernels that take scratch memory as a last argument more, its elements, given the sizes and constants that the
   * kernel is told; at 0 elements it is told of none.
   */
  readonly scratch?: {
    readonly [K in keyof Kernels<M>]?: (...sizes: number[]) => number;
  };
  /** The most bytes that it may hold, where that is known. */
  readonly maximumBytes?: number;
  /** See `Engine`. */
  readonly workAtOnce: number;
  /** The bytes that a block of this many elements takes up. */
  bytesFor(size: number): number;
  /** The elements that such a block has room for, where they are more. */
  roomFor?(size: number): number;
  /** A block of `size` elements with any contents. Throws a RangeError where there is none left. */
  allocate(size: number): M;
  /** Gives a block back. */
  release(memory: M, size: number): void;
  upload(memory: M, data: ArrayLike<number>): void;
  /** A copy of the first `size` elements, in `room` if the device can put it there. */
  download(memory: M, size: number, room?: Floats): Floats | Promise<Floats>;
  /** Only where `download` gives promises: the next one rejects with the error of the first element that is not 0. */
  expectZeros?(memory: M, size: number, errorAt: (index: number) => Error): void;
  /** Whether an argument of a kernel is memory, where memory is a number too. */
  isMemory?(kernel: string, at: number): boolean;
  /** What runs recorded calls, where that is better than a loop over the kernels; `allocate` gives it memory. */
  replayer?(
    calls: readonly Call[],
    slotCount: number,
    allocate: (size: number) => { readonly memory: M; readonly free: () => void },
  ): Replayer<M>;
  /** Gives all memory back. */
  dispose(): void;
}
