/**
 * Which addresses of a linear memory are taken. A block that is given back waits in the list of its size class, so
 * taking and giving are a pop and a push.
 *
 * @module
 */
import { noRoom } from "../../allocate.ts";
import { blockSize, sizeClass, sizeOfClass } from "../block_size.ts";

/** A part of the memory in which nothing is held. */
interface Gap {
  address: number;
  size: number;
}

/** A heap in `memory` from the address `base` on, of at most `limit` bytes in all. */
export class Heap {
  readonly #memory: WebAssembly.Memory;
  readonly #limit: number;
  /** For each class the blocks that wait to be used again. */
  readonly #waiting: number[][] = [];
  /** What blocks that waited were joined to, when the memory was used up. */
  #gaps: Gap[] = [];
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
   * @throws {RangeError} if there is no room; everything that is held stays as it is
   */
  allocate(bytes: number): number {
    const size = blockSize(bytes);
    const address = this.#waiting[sizeClass(size)]?.pop() ?? this.#findRoom(size, bytes);
    this.#held += size;
    return address;
  }

  /** Gives back a block that was allocated with this number of bytes. */
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
      throw noRoom("allocate tensor", requirement, `use is ${this.#held} of ${this.#limit} bytes`);
    }
    return address;
  }

  /** A block from the part that was never used. */
  #extend(size: number): number | undefined {
    const address = this.#end;
    const missing = address + size - this.#memory.buffer.byteLength;
    if (address + size > this.#limit || missing > 0 && !this.#grow(missing)) return undefined;
    this.#end += size;
    return address;
  }

  /** A block from the first gap that has room. */
  #cut(size: number): number | undefined {
    const gap = this.#gaps.find((gap) => gap.size >= size);
    if (gap === undefined) return undefined;
    const { address } = gap;
    gap.address += size;
    gap.size -= size;
    return address;
  }

  /** Joins the blocks that wait to gaps: a block of another size may fit where several of them lie side by side. */
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
