/**
 * The sizes in which memory is handed out, four to a doubling: a loop that makes the same tensors over and over finds
 * blocks of theirs waiting, and at most a fifth of a block is spare.
 *
 * Sizes are exact up to 2⁵³ bytes. Shifts, which are quicker than products and quotients, wrap at 2³²: they serve the sizes
 * of every day, and no others.
 *
 * @module
 */

/** The largest size that shifts are used for. */
const most = 2 ** 30;

/** The size of the block that a number of bytes takes up. */
export function blockSize(bytes: number): number {
  if (bytes <= most) {
    const exponent = exponentOf(bytes);
    return (Math.max(bytes, 1) - 1 >>> exponent) + 1 << exponent;
  }
  const step = 2 ** exponentOf(bytes);
  return Math.ceil(bytes / step) * step;
}

/** A number for each block size. */
export function sizeClass(size: number): number {
  const exponent = exponentOf(size);
  return 4 * exponent - 1 + (size <= most ? size >>> exponent : size / 2 ** exponent);
}

/** The block size that has this number. */
export function sizeOfClass(number: number): number {
  const exponent = Math.max(6, (number >> 2) - 1);
  return (number - 4 * exponent + 1) * 2 ** exponent;
}

/** The distance from one class to the next is 2 to this power: an eighth of the next power of two, and a cache line at least. */
function exponentOf(bytes: number): number {
  if (bytes <= 512) return 6;
  return bytes <= most ? 29 - Math.clz32(bytes - 1) : 53 - Math.clz32(Math.ceil(bytes / 2 ** 24) - 1);
}
