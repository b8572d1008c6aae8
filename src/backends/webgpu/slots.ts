/**
 * Collects small uploads in slots of one buffer, which are written together.
 *
 * @module
 */

/** A buffer of slots, each at a valid offset of a uniform binding. */
export class Slots {
  readonly buffer: GPUBuffer;
  /** The size of a slot. */
  readonly bytes: number;
  readonly #device: GPUDevice;
  readonly #count: number;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #floats: Float32Array;
  #used = 0;
  #written = 0;

  constructor(device: GPUDevice, count: number, usage: GPUBufferUsageFlags) {
    this.#device = device;
    this.#count = count;
    this.bytes = Math.max(64, device.limits.minUniformBufferOffsetAlignment);
    this.buffer = device.createBuffer({ size: count * this.bytes, usage: usage | GPUBufferUsage.COPY_DST });
    this.#words = new Uint32Array(count * this.bytes / 4);
    this.#floats = new Float32Array(this.#words.buffer);
  }

  /** Whether there is space for this many words. */
  fits(words: number): boolean {
    return this.#used + this.#needed(words) <= this.#count;
  }

  /** Puts integers followed by floats into free slots, which must exist. Returns their offset in bytes. */
  put(integers: ArrayLike<number>, floats: ArrayLike<number> = []): number {
    const offset = this.#used * this.bytes;
    this.#words.set(integers, offset / 4);
    this.#floats.set(floats, offset / 4 + integers.length);
    this.#used += this.#needed(integers.length + floats.length);
    return offset;
  }

  /** Writes the slots that were filled since the last time, for the commands that are submitted next. */
  write(): void {
    if (this.#written === this.#used) return;
    const start = this.#written * this.bytes, end = this.#used * this.bytes;
    this.#device.queue.writeBuffer(this.buffer, start, this.#words, start / 4, (end - start) / 4);
    this.#written = this.#used;
  }

  /** Frees all slots, after the commands that use them were submitted. */
  clear(): void {
    this.#used = 0;
    this.#written = 0;
  }

  #needed(words: number): number {
    return Math.ceil(4 * words / this.bytes);
  }
}
