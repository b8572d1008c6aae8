/**
 * Small numbers on their way to the GPU: collected in slots of one buffer, and written to it together.
 *
 * @module
 */

/** A buffer of slots, each at an offset that a uniform binding may have. */
export class Slots {
  readonly buffer: GPUBuffer;
  /** The size of one. */
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

  /** Whether there is room for so many words. */
  fits(words: number): boolean {
    return this.#used + this.#needed(words) <= this.#count;
  }

  /** Puts integers, and floats behind them, into free slots that there must be. Returns their offset in bytes. */
  put(integers: ArrayLike<number>, floats: ArrayLike<number> = []): number {
    const offset = this.#used * this.bytes;
    this.#words.set(integers, offset / 4);
    this.#floats.set(floats, offset / 4 + integers.length);
    this.#used += this.#needed(integers.length + floats.length);
    return offset;
  }

  /** Writes what was put in since the last time, for the commands that are submitted next. */
  write(): void {
    if (this.#written === this.#used) return;
    const start = this.#written * this.bytes, end = this.#used * this.bytes;
    this.#device.queue.writeBuffer(this.buffer, start, this.#words, start / 4, (end - start) / 4);
    this.#written = this.#used;
  }

  /** Makes all slots free, when the commands that use them are submitted. */
  clear(): void {
    this.#used = 0;
    this.#written = 0;
  }

  #needed(words: number): number {
    return Math.ceil(4 * words / this.bytes);
  }
}
