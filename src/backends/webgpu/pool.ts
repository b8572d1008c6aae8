/**
 * GPU buffers that are used again: a loop that makes the same tensors over and over creates none.
 *
 * @module
 */
import { blockSize } from "../block_size.ts";
import type { GpuBlock } from "./gpu.ts";

/** The buffers of one device. */
export class GpuPool {
  readonly #device: GPUDevice;
  /** By size, those that wait to be used again. */
  readonly #waiting = new Map<number, GpuBlock[]>();
  readonly #staging = new Map<number, GPUBuffer[]>();
  readonly #all: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** How many buffers were ever created. */
  get created(): number {
    return this.#all.length;
  }

  /**
   * A block of at least `size` floats, with any contents.
   *
   * @throws {RangeError} if the device allows no buffer of that size
   */
  take(size: number): GpuBlock {
    const bytes = blockSize(4 * size);
    const block = this.#waiting.get(bytes)?.pop();
    if (block !== undefined) return block;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (4 * size > limit) {
      const name = limit === maxBufferSize ? "maxBufferSize" : "maxStorageBufferBindingSize";
      throw new RangeError(
        `Cannot allocate tensor: bytes must be at most the device's ${name} of ${limit}, current size is ${
          4 * size
        }`,
      );
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return { buffer: this.#create(Math.min(bytes, limit), usage), id: this.#all.length };
  }

  give(block: GpuBlock, size: number): void {
    const bytes = blockSize(4 * size);
    const waiting = this.#waiting.get(bytes);
    if (waiting === undefined) this.#waiting.set(bytes, [block]);
    else waiting.push(block);
  }

  /** A buffer that can be mapped for reading. */
  takeStaging(bytes: number): GPUBuffer {
    const size = blockSize(bytes);
    return this.#staging.get(size)?.pop() ??
      this.#create(size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  }

  giveStaging(buffer: GPUBuffer): void {
    const waiting = this.#staging.get(buffer.size);
    if (waiting === undefined) this.#staging.set(buffer.size, [buffer]);
    else waiting.push(buffer);
  }

  dispose(): void {
    for (const buffer of this.#all) buffer.destroy();
  }

  #create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#device.createBuffer({ size, usage });
    this.#all.push(buffer);
    return buffer;
  }
}
