/**
 * The shapes at which the WKV scan is measured.
 *
 * @module
 */

/** The sizes of a scan. */
export interface Shape {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
}

/** The most elements of a tensor. */
const mostElements = 2 ** 26;

const lengths = [256, 1024, 2048, 4096, 16_384, 65_536];
const widths = [[1, 128], [1, 768], [1, 4096], [8, 4096]];

/** From 128 channels in total to 32,768, and from 256 steps to the limit of `mostElements`. */
export const shapes: readonly Shape[] = widths
  .flatMap(([batch, channels]) => lengths.map((length) => ({ batch, length, channels })))
  .filter((shape) => elementsOf(shape) <= mostElements);

/** The number of elements of key, of value and of y. */
export function elementsOf({ batch, length, channels }: Shape): number {
  return batch * length * channels;
}

/** `8×2048×4096`: B, T and C */
export function nameOf({ batch, length, channels }: Shape): string {
  return `${batch}×${length}×${channels}`;
}
