/**
 * Random numbers from a seed.
 *
 * @module
 */
import { checkInteger } from "./check.ts";

/** A stream of random numbers. */
export interface RandomSource {
  uint32(): number;
  uniform(): number;
  normal(): number;
  integer(n: number): number;
}

export function randomSource(seed: number): RandomSource {
  checkInteger("make random source", "seed", seed, 0, 2 ** 32 - 1);
  let a = seed | 0, b = 0x9e3779b9 | 0, c = 0x85ebca6b | 0, counter = 1;
  const uint32 = () => {
    const t = (a + b | 0) + counter | 0;
    counter = counter + 1 | 0;
    a = b ^ b >>> 9;
    b = c + (c << 3) | 0;
    c = (c << 21 | c >>> 11) + t | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 16; i++) uint32();
  const uniform = () => (uint32() >>> 5) * 2 ** -27 + 0;
  return {
    uint32,
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (n) => Math.floor(uniform() * n),
  };
}
