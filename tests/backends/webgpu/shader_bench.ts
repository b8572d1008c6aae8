/**
 * Runs one kernel on a GPU and its reference in double precision on the same numbers, and checks all memory around
 * them.
 */
import { assert, assertEquals } from "@std/assert";
import { type Dispatch, type Gpu, type GpuBlock, GpuQueue } from "../../../src/backends/webgpu/gpu.ts";
import { GpuPool } from "../../../src/backends/webgpu/pool.ts";
import type { Floats } from "../../../src/tensor.ts";
import { assertSame, relativeError } from "../../helpers.ts";

/**
 * The arguments of a kernel: outputs of a size, inputs (or null), numbers to change in place, sizes and constants.
 */
export type Argument =
  | { readonly size: number; readonly inPlace?: Float32Array }
  | Float32Array
  | number
  | null;

/** An output of so many elements. */
export function out(size: number): Argument {
  return { size };
}

// The arguments of every kernel are outputs, inputs, sizes, constants, which no single type can express.
type Kernel = (gpu: Gpu, ...args: never[]) => void;
type Reference = (...args: never[]) => void;

const guardWords = 8, guard = 12345.678;

/** Numbers that a kernel may change, and that are among its outputs. */
export function inPlace(numbers: Float32Array): Argument {
  return { size: numbers.length, inPlace: numbers };
}

/** A GPU for kernels, on a device that the caller keeps. */
export class ShaderBench implements Disposable {
  /** The number of dispatches so far. */
  readonly dispatches: Dispatch[] = [];
  readonly #pool: GpuPool;
  readonly #queue: GpuQueue;
  readonly #limits: GPUSupportedLimits;

  /** @param limits the limits that kernels see instead of the device's own */
  constructor(device: GPUDevice, limits: Partial<GPUSupportedLimits> = {}) {
    this.#pool = new GpuPool(device, () => this.#queue.submit());
    this.#queue = new GpuQueue(device, this.#pool);
    const { maxComputeWorkgroupsPerDimension, maxStorageBufferBindingSize } = device.limits;
    const own = { maxComputeWorkgroupsPerDimension, maxStorageBufferBindingSize };
    this.#limits = { ...own, ...limits } as GPUSupportedLimits;
  }

  [Symbol.dispose](): void {
    this.#queue.dispose();
    this.#pool.dispose();
  }

  /**
   * Runs a kernel with outputs and scratch memory full of NaN, and checks what it must not change. Returns the
   * outputs.
   */
  async run(kernel: Kernel, args: readonly Argument[]): Promise<Float32Array[]> {
    const blocks = args.map((arg) => {
      if (arg === null || typeof arg === "number") return arg;
      if (arg instanceof Float32Array) return this.#put(arg, NaN);
      return this.#put(arg.inPlace ?? new Float32Array(arg.size).fill(NaN), guard);
    });
    const gpu: Gpu = {
      limits: this.#limits,
      dispatch: (run) => {
        const most = this.#limits.maxComputeWorkgroupsPerDimension;
        assert(run.workgroups.every((count) => count! <= most), `workgroups are ${run.workgroups}`);
        this.dispatches.push(run);
        this.#queue.dispatch(run);
      },
      withScratch: (size, body) => {
        this.#queue.withScratch(size, (scratch) => {
          this.#queue.write(scratch, new Float32Array(size).fill(NaN));
          body(scratch);
        });
      },
      table: (name, make) => this.#queue.table(name, make),
    };
    kernel(gpu, ...blocks as never[]);
    const outputs: Float32Array[] = [];
    for (const [i, arg] of args.entries()) {
      if (arg === null || typeof arg === "number") continue;
      const size = arg instanceof Float32Array ? arg.length : arg.size;
      const block = blocks[i] as GpuBlock;
      const read = await this.#queue.read(block, size + guardWords);
      if (arg instanceof Float32Array) {
        assertSame(read, guarded(arg, NaN), `argument ${i} afterwards`);
      } else {
        assertSame(read.subarray(size), guarded([], guard), `guard of argument ${i}`);
        outputs.push(read.subarray(0, size));
      }
      this.#pool.give(block, size + guardWords);
    }
    return outputs;
  }

  /** Asserts that a kernel agrees with its reference: NaN in the same places, the rest within the tolerance. */
  async compare(
    kernel: Kernel,
    reference: Reference,
    args: readonly Argument[],
    tolerance = 1e-5,
  ): Promise<void> {
    const wanted = expected(reference, args);
    const actual = await this.run(kernel, args);
    const sizes = args.filter((arg) => typeof arg === "number").join(", ");
    wanted.forEach((output, i) => {
      const what = `${reference.name}(${sizes}), output ${i}`;
      assertEquals(nans(actual[i]), nans(output), `NaN in ${what}`);
      const numbers = (values: Floats) => [...values].filter((value) => !Number.isNaN(value));
      const error = relativeError(numbers(actual[i]), numbers(output));
      assert(error <= tolerance, `${what} differs by ${error} of its scale`);
    });
  }

  #put(data: ArrayLike<number>, word: number): GpuBlock {
    const block = this.#pool.take(data.length + guardWords);
    this.#queue.write(block, guarded(data, word));
    return block;
  }
}

function expected(reference: Reference, args: readonly Argument[]): Float64Array[] {
  const outputs: Float64Array[] = [];
  const doubles = args.map((arg) => {
    if (arg === null || typeof arg === "number") return arg;
    if (arg instanceof Float32Array) return Float64Array.from(arg);
    outputs.push(Float64Array.from(arg.inPlace ?? new Float64Array(arg.size)));
    return outputs[outputs.length - 1];
  });
  reference(...doubles as never[]);
  return outputs;
}

function guarded(data: ArrayLike<number>, word: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(data.length + guardWords).fill(word);
  all.set(data);
  return all;
}

function nans(values: Floats): number[] {
  return [...values.keys()].filter((i) => Number.isNaN(values[i]));
}
