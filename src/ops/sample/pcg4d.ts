/**
 * The hash pcg4d of four 32-bit words, its first word (Jarzynski, Olano: "Hash Functions for GPU Rendering", 2020):
 * random numbers that are the same on every device, in any order.
 *
 * @module
 */

/** A word from 0 to 2³² - 1. */
export function pcg4d(x: number, y: number, z: number, w: number): number {
  x = Math.imul(x, 1664525) + 1013904223 | 0;
  y = Math.imul(y, 1664525) + 1013904223 | 0;
  z = Math.imul(z, 1664525) + 1013904223 | 0;
  w = Math.imul(w, 1664525) + 1013904223 | 0;
  x = x + Math.imul(y, w) | 0;
  y = y + Math.imul(z, x) | 0;
  z = z + Math.imul(x, y) | 0;
  w = w + Math.imul(y, z) | 0;
  x ^= x >>> 16;
  y ^= y >>> 16;
  w ^= w >>> 16;
  return x + Math.imul(y, w) >>> 0;
}
