/**
 * Allocates blocks in a linear memory. A released block is kept in the free list of its size class, so allocating
 * and releasing are a pop and a push.
 *
 * @module
 */
import { outOfMemory } from "../../allocate.ts";
import { blockSize, sizeClass, sizeOfClass } from "../block_size.ts";

/** A free part of the memory. */
interface Gap {
  address: number;
  size: number;
}

/** A heap in `memory` that starts at the address `base` and ends below `limit`. */
export class Heap {
  readonly #memory: WebAssembly.Memory;
  readonly #limit: number;
  /** The free list of each size class. */
  readonly #waiting: number[][] = [];
  /** Merged free blocks, made when the memory was exhausted. */
  #gaps: Gap[] = [];
  /** The start of the part that was never used. */
  #end: number;
  #held = 0;

  constructor(memory: WebAssembly.Memory, base: number, limit: number) {
    this.#memory = memory;
    this.#limit = limit;
    this.#end = Math.ceil(base / alignment) * alignment;
  }

  /**
   * Allocates a block of at least `bytes` bytes and returns its address, a multiple of 64.
   *
   * @throws {RangeError} if the limit is exceeded; existing blocks are unchanged
   */
  allocate(bytes: number): number {
    const size = blockSize(bytes);
    const address = this.#waiting[sizeClass(size)]?.pop() ?? this.#findRoom(size, bytes);
    this.#held += size;
    return address;
  }

  /** Releases a block that was allocated with this number of bytes. */
  release(address: number, bytes: number): void {
    const size = blockSize(bytes);
    (this.#waiting[sizeClass(size)] ??= []).push(address);
    this.#held -= size;
  }

  #findRoom(size: number, bytes: number): number {
    let address = this.#extend(size) ?? this.#cut(size);
    if (address === undefined) {
      this.#joinWaiting();
      address = this.#extend(size) ?? this.#cut(size);
    }
    if (address === undefined) {
      const requirement = `WebAssembly memory must have room for ${bytes} bytes`;
      throw outOfMemory("allocate tensor", requirement, `use is ${this.#held} of ${this.#limit} bytes`);
    }
    return address;
  }

  /** Takes a block from the part that was never used. */
  #extend(size: number): number | undefined {
    const address = this.#end;
    const missing = address + size - this.#memory.buffer.byteLength;
    if (address + size > this.#limit || missing > 0 && !this.#grow(missing)) return undefined;
    this.#end += size;
    return address;
  }

  /** Takes a block from the first gap that is large enough. */
  #cut(size: number): number | undefined {
    const gap = this.#gaps.find((gap) => gap.size >= size);
    if (gap === undefined) return undefined;
    const { address } = gap;
    gap.address += size;
    gap.size -= size;
    return address;
  }

  /** Merges adjacent free blocks into gaps, which can hold blocks of another size. */
  #joinWaiting(): void {
    const pieces = this.#gaps.concat(
      this.#waiting.flatMap((addresses, number) =>
        addresses.map((address) => ({ address, size: sizeOfClass(number) }))
      ),
    ).sort((a, b) => a.address - b.address);
    this.#waiting.length = 0;
    this.#gaps = [];
    for (const { address, size } of pieces) {
      const last = this.#gaps.at(-1);
      if (last !== undefined && last.address + last.size === address) last.size += size;
      else if (size > 0) this.#gaps.push({ address, size });
    }
    const last = this.#gaps.at(-1);
    if (last !== undefined && last.address + last.size === this.#end) {
      this.#end = last.address;
      this.#gaps.pop();
    }
  }

  #grow(missing: number): boolean {
    try {
      this.#memory.grow(Math.ceil(missing / pageSize));
      return true;
    } catch {
      return false;
    }
  }
}

const pageSize = 65_536;
/** A cache line, so that no vector straddles two. */
const alignment = 64;
