/**
 * GPU buffers that are used again: a loop that makes the same tensors over and over creates none.
 *
 * @module
 */
import { noRoom } from "../../allocate.ts";
import { blockSize } from "../block_size.ts";
import type { GpuBlock } from "./gpu.ts";

/** So many bytes may wait for another use, and as many as are in use. */
const spareBytes = 2 ** 28;
/** Shaders count in u32, past the end of a tensor too, by a stride or a workgroup: up to 2³⁰ elements that never wraps. */
const indexedBytes = 2 ** 32;

/** The buffers of one device. */
export class GpuPool {
  readonly #device: GPUDevice;
  readonly #beforeDestroy: () => void;
  /** The most bytes of a tensor, and what says so. */
  readonly #limit: { readonly name: string; readonly bytes: number };
  readonly #all = new Set<GPUBuffer>();
  /** By size, those that wait for another use. */
  readonly #waiting = new Map<number, GpuBlock[]>();
  readonly #waitingStaging = new Map<number, GPUBuffer[]>();
  #waitingBytes = 0;
  #lentBytes = 0;
  #created = 0;

  /** @param beforeDestroy called before buffers are destroyed that commands may still be about to use */
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

  /** How many buffers were ever created. */
  get created(): number {
    return this.#created;
  }

  /**
   * A block of at least `size` floats, with any contents.
   *
   * @throws {RangeError} if the device allows no buffer of that size
   */
  take(size: number): GpuBlock {
    const { name, bytes: most } = this.#limit;
    if (4 * size > most) {
      const requirement = `its bytes must be at most ${name} of ${most}`;
      const current = `size is ${4 * size}, with ${this.#lentBytes} bytes in use`;
      throw noRoom("allocate tensor", requirement, current);
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
    // A block is a little larger than what it is for, but not than what the device allows.
    const buffer = this.#create(Math.min(bytes, most - most % 4), usage);
    this.#lentBytes += bytes;
    return { buffer, id: this.#created };
  }

  /** Takes a block back, of which the size is what it was taken for. */
  give(block: GpuBlock, size: number): void {
    const bytes = blockSize(4 * size);
    this.#lentBytes -= bytes;
    this.#waitingBytes += bytes;
    keep(this.#waiting, bytes, block);
  }

  /** A buffer that can be mapped for reading. */
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

  /** For one that can't be used again. */
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

  /** Work on ever new sizes would pile up buffers that nobody asks for again. */
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
