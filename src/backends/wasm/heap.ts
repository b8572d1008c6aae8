/**
 * Which addresses of a linear memory are taken. A block that is given back waits in the list of its size class, so
 * taking and giving are a pop and a push.
 *
 * @module
 */
import { blockSize, sizeClass } from "../block_size.ts";

/** A heap in `memory` from the address `base` on, of at most `limit` bytes in all. */
export class Heap {
  readonly #memory: WebAssembly.Memory;
  readonly #limit: number;
  /** For each class the blocks that wait to be used again. */
  readonly #waiting: number[][] = [];
  /** Where the part that was never used begins. */
  #end: number;
  #held = 0;

  constructor(memory: WebAssembly.Memory, base: number, limit: number) {
    this.#memory = memory;
    this.#limit = limit;
    this.#end = Math.ceil(base / alignment) * alignment;
  }

  /**
   * The address of a block of at least `bytes` bytes, a multiple of 64.
   *
   * @throws {RangeError} if there is no room; everything stays as it is
   */
  allocate(bytes: number): number {
    const size = blockSize(bytes);
    const address = this.#waiting[sizeClass(size)]?.pop() ?? this.#extend(size);
    this.#held += size;
    return address;
  }

  /** Gives back a block that was allocated with this number of bytes. */
  release(address: number, bytes: number): void {
    const size = blockSize(bytes);
    (this.#waiting[sizeClass(size)] ??= []).push(address);
    this.#held -= size;
  }

  #extend(size: number): number {
    const address = this.#end;
    const missing = address + size - this.#memory.buffer.byteLength;
    if (address + size > this.#limit || missing > 0 && !this.#grow(missing)) {
      throw new RangeError(
        `Cannot allocate tensor: WebAssembly memory must have room for ${size} bytes, current use is ` +
          `${this.#held} of ${this.#limit} bytes`,
      );
    }
    this.#end += size;
    return address;
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
