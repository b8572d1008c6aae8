/**
 * Which addresses of a linear memory are taken. Blocks come in size classes, four to a doubling, and a block that is
 * given back waits in the list of its class: taking and giving are a push and a pop, at most a fifth of a block is
 * spare, and a loop that makes the same tensors over and over reuses the same blocks.
 *
 * @module
 */

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
    const address = this.#waiting[classOf(size)]?.pop() ?? this.#extend(size);
    this.#held += size;
    return address;
  }

  /** Gives back a block that was allocated with this number of bytes. */
  release(address: number, bytes: number): void {
    const size = blockSize(bytes);
    (this.#waiting[classOf(size)] ??= []).push(address);
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

/** The size of the block that a number of bytes takes up. */
export function blockSize(bytes: number): number {
  const shift = shiftOf(bytes);
  return ((Math.max(bytes, 1) - 1 >>> shift) + 1) * (1 << shift);
}

/** A number for each block size. */
function classOf(size: number): number {
  const shift = shiftOf(size);
  return 4 * shift + (size - 1 >>> shift);
}

/** The distance from one class to the next is 2 to this power: an eighth of the next power of two, and a cache line at least. */
function shiftOf(bytes: number): number {
  return bytes <= 512 ? 6 : 29 - Math.clz32(bytes - 1);
}
