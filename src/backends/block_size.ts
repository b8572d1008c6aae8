/**
 * Sizes of memory blocks, four for each doubling. A loop that allocates the same tensors repeatedly reuses their
 * blocks, and at most a fifth of a block is unused.
 *
 * Sizes are exact up to 2⁵³ bytes. Shifts are faster than products and quotients but wrap at 2³², so they are used
 * only for common sizes.
 *
 * @module
 */

/** The largest size computed with shifts. */
const most = 2 ** 30;

/** The size of the block that holds a number of bytes. */
export function blockSize(bytes: number): number {
  if (bytes <= most) {
    const exponent = exponentOf(bytes);
    return (Math.max(bytes, 1) - 1 >>> exponent) + 1 << exponent;
  }
  const step = 2 ** exponentOf(bytes);
  return Math.ceil(bytes / step) * step;
}

/** The index of a block size. */
export function sizeClass(size: number): number {
  const exponent = exponentOf(size);
  return 4 * exponent - 1 + (size <= most ? size >>> exponent : size / 2 ** exponent);
}

/** The block size with this index. */
export function sizeOfClass(number: number): number {
  const exponent = Math.max(6, (number >> 2) - 1);
  return (number - 4 * exponent + 1) * 2 ** exponent;
}

/**
 * The distance between size classes is 2 to this power: an eighth of the next power of two, and at least a cache
 * line.
 */
function exponentOf(bytes: number): number {
  if (bytes <= 512) return 6;
  return bytes <= most ? 29 - Math.clz32(bytes - 1) : 53 - Math.clz32(Math.ceil(bytes / 2 ** 24) - 1);
}
