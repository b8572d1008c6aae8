/**
 * The sizes in which memory is handed out, four to a doubling: a loop that makes the same tensors over and over finds
 * blocks of theirs waiting, and at most a fifth of a block is spare.
 *
 * @module
 */

/** The size of the block that a number of bytes takes up. */
export function blockSize(bytes: number): number {
  const shift = shiftOf(bytes);
  return ((Math.max(bytes, 1) - 1 >>> shift) + 1) * (1 << shift);
}

/** A number for each block size. */
export function sizeClass(size: number): number {
  const shift = shiftOf(size);
  return 4 * shift + (size - 1 >>> shift);
}

/** The block size that has this number. */
export function sizeOfClass(number: number): number {
  const shift = Math.max(6, (number >> 2) - 1);
  return (number - 4 * shift + 1) * 2 ** shift;
}

/** The distance from one class to the next is 2 to this power: an eighth of the next power of two, and a cache line at least. */
function shiftOf(bytes: number): number {
  return bytes <= 512 ? 6 : 29 - Math.clz32(bytes - 1);
}
