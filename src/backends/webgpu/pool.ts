/**
 * A pool of GPU buffers: a loop that allocates the same tensors repeatedly creates no buffers.
 *
 * @module
 */
import { outOfMemory } from "../../allocate.ts";
import { blockSize } from "../block_size.ts";
import type { GpuBlock } from "./gpu.ts";

/** The number of unused bytes that are kept, in addition to as many as are in use. */
const spareBytes = 2 ** 28;
/**
 * Shaders index with u32, also past the end of a tensor by a stride or a workgroup; with up to 2³⁰ elements this
 * never wraps.
 */
const indexedBytes = 2 ** 32;

/** The buffers of one device. */
export class GpuPool {
  readonly #device: GPUDevice;
  readonly #beforeDestroy: () => void;
  /** The maximum size of a tensor in bytes, and the limit that determines it. */
  readonly #limit: { readonly name: string; readonly bytes: number };
  readonly #all = new Set<GPUBuffer>();
  /** Unused blocks by size. */
  readonly #waiting = new Map<number, GpuBlock[]>();
  readonly #waitingStaging = new Map<number, GPUBuffer[]>();
  #waitingBytes = 0;
  #lentBytes = 0;
  #created = 0;

  /**
   * @param beforeDestroy called before buffers are destroyed that pending commands may use
   */
  constructor(device: GPUDevice, beforeDestroy: () => void) {
    this.#device = device;
    this.#beforeDestroy = beforeDestroy;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    this.#limit = [
      { name: "the device's maxStorageBufferBindingSize", bytes: maxStorageBufferBindingSize },
      { name: "the device's maxBufferSize", bytes: maxBufferSize },
      { name: "the range of the shaders' indices", bytes: indexedBytes },
    ].reduce((a, b) => b.bytes < a.bytes ? b : a);
  }

  /** The number of buffers created so far. */
  get created(): number {
    return this.#created;
  }

  /**
   * Takes a block of at least `size` floats, with any contents.
   *
   * @throws {RangeError} if the device allows no buffer of that size
   */
  take(size: number): GpuBlock {
    const { name, bytes: most } = this.#limit;
    if (4 * size > most) {
      const requirement = `its bytes must be at most ${name} of ${most}`;
      const current = `size is ${4 * size}, with ${this.#lentBytes} bytes in use`;
      throw outOfMemory("allocate tensor", requirement, current);
    }
    const bytes = blockSize(4 * size);
    const block = this.#waiting.get(bytes)?.pop();
    if (block !== undefined) {
      this.#lentBytes += bytes;
      this.#waitingBytes -= bytes;
      return block;
    }
    if (this.#waitingBytes > this.#lentBytes + spareBytes) this.#destroyWaiting();
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const usage = STORAGE | UNIFORM | COPY_SRC | COPY_DST;
    // A block may be larger than needed, but not larger than the device allows.
    const buffer = this.#create(Math.min(bytes, most - most % 4), usage);
    this.#lentBytes += bytes;
    return { buffer, id: this.#created };
  }

  /** Returns a block, with the size it was taken for. */
  give(block: GpuBlock, size: number): void {
    const bytes = blockSize(4 * size);
    this.#lentBytes -= bytes;
    this.#waitingBytes += bytes;
    keep(this.#waiting, bytes, block);
  }

  /** Takes a buffer that can be mapped for reading. */
  takeStaging(bytes: number): GPUBuffer {
    const most = this.#device.limits.maxBufferSize;
    const size = Math.min(blockSize(bytes), most - most % 4);
    const buffer = this.#waitingStaging.get(size)?.pop();
    if (buffer === undefined) return this.#create(size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    this.#waitingBytes -= size;
    return buffer;
  }

  giveStaging(buffer: GPUBuffer): void {
    this.#waitingBytes += buffer.size;
    keep(this.#waitingStaging, buffer.size, buffer);
  }

  /** Destroys a buffer that can't be reused. */
  destroyStaging(buffer: GPUBuffer): void {
    buffer.destroy();
    this.#all.delete(buffer);
  }

  /** Destroys all buffers. */
  dispose(): void {
    for (const buffer of this.#all) buffer.destroy();
    this.#all.clear();
    this.#waiting.clear();
    this.#waitingStaging.clear();
  }

  #create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#device.createBuffer({ size, usage });
    this.#all.add(buffer);
    this.#created++;
    return buffer;
  }

  /** Frees unused blocks, which accumulate if sizes keep changing. */
  #destroyWaiting(): void {
    this.#beforeDestroy();
    const blocks = [...this.#waiting.values()].flat().map(({ buffer }) => buffer);
    for (const buffer of [...blocks, ...[...this.#waitingStaging.values()].flat()]) {
      buffer.destroy();
      this.#all.delete(buffer);
    }
    this.#waiting.clear();
    this.#waitingStaging.clear();
    this.#waitingBytes = 0;
  }
}

function keep<T>(waiting: Map<number, T[]>, size: number, one: T): void {
  const list = waiting.get(size);
  if (list === undefined) waiting.set(size, [one]);
  else list.push(one);
}
