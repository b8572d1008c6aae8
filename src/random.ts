/**
 * Reproducible random numbers: a seed gives the same numbers on every machine, in any number of independent
 * streams.
 *
 * @module
 */
import { checkInteger } from "./check.ts";

/** A stream of random numbers. Every call advances it; create it again to get the same numbers. */
export interface RandomSource {
  /** The next 32 bits, from 0 to 2³² - 1. */
  uint32(): number;
  /** Uniform in [0, 1), a multiple of 2⁻⁵³. */
  uniform(): number;
  /** Normal with mean 0 and variance 1. */
  normal(): number;
  /** An integer from 0 to n - 1, each equally likely. */
  integer(n: number): number;
}

/**
 * A stream of random numbers, determined by a seed and a path.
 *
 * The generator is sfc32, with a state of three words and a counter, all sums modulo 2³²:
 *
 *     out = a + b + counter;  counter' = counter + 1
 *     a' = b ^ (b >>> 9);  b' = c + (c << 3);  c' = rotate(c, 21) + out
 *
 * The words a, b and c start as three different hashes of seed and path, so that neighbouring seeds, or a seed's
 * paths 0, 1, 2, give streams without visible correlation.
 *
 * - `uniform` takes 53 bits of two words.
 * - `integer` rejects words from the last, incomplete multiple of n, so that all numbers are equally likely.
 * - `normal` is √(-2 ln u)·cos 2πv. Its last bit depends on the machine's `log` and `cos`; the other three are
 *   identical everywhere.
 *
 * @param seed an integer from 0 to 2⁵³ - 1
 * @param path non-negative integers, such as an index or an epoch and an index, that name one of the seed's streams
 * @returns the stream, at its beginning
 * @throws {RangeError} if the seed or a number of the path is not a non-negative integer; from `integer`, if n is
 *   not an integer from 1 to 2³²
 *
 * @example The third sequence of seed 7, without generating the first two
 * ```ts
 * import { randomSource } from "@seqmix/seqmix";
 *
 * const die = randomSource(7, 2);
 * console.log([die.integer(6) + 1, die.integer(6) + 1, die.integer(6) + 1]);
 * ```
 *
 * sfc32: Chris Doty-Humphrey, PractRand (2010). The hash's rounds: Austin Appleby, MurmurHash3 (fmix32).
 */
export function randomSource(seed: number, ...path: readonly number[]): RandomSource {
  const action = "make a random source";
  checkInteger(action, "seed", seed, 0);
  for (let i = 0; i < path.length; i++) checkInteger(action, `path[${i}]`, path[i], 0);

  const words = wordsOf([seed, ...path]);
  let a = hash(0x243f6a88, words);
  let b = hash(0x85a308d3, words);
  let c = hash(0x13198a2e, words);
  let counter = 1;

  function uint32(): number {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  }

  // sfc32's author discards these, so that every bit of the state affects every other.
  for (let i = 0; i < 15; i++) uint32();

  function uniform(): number {
    const high = uint32() >>> 5;
    return (high * 2 ** 26 + (uint32() >>> 6)) * 2 ** -53;
  }

  return {
    uint32,
    uniform,
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform())); // 1 - u is never 0
      return radius * Math.cos(2 * Math.PI * uniform());
    },
    integer(n) {
      checkInteger("draw a random integer", "n", n, 1, 2 ** 32);
      const rounds = 2 ** 32 - (2 ** 32 % n);
      let drawn = uint32();
      while (drawn >= rounds) drawn = uint32();
      return drawn % n;
    },
  };
}

/** The Fisher-Yates shuffle, in place: every order is equally likely. */
export function shuffle(items: unknown[], random: Pick<RandomSource, "integer">): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
}

/** The numbers as 32-bit words, low and high, preceded by their count so that (1) and (1, 0) differ. */
function wordsOf(numbers: readonly number[]): Int32Array {
  const words = new Int32Array(2 * numbers.length + 1);
  words[0] = numbers.length;
  for (let i = 0; i < numbers.length; i++) {
    words[2 * i + 1] = numbers[i] | 0;
    words[2 * i + 2] = numbers[i] / 2 ** 32;
  }
  return words;
}

/** 32 bits of some words. Each round is a bijection of its word, so two seeds never share a hash of it. */
function hash(start: number, words: Int32Array): number {
  let h = start;
  for (let i = 0; i < words.length; i++) {
    h = (h ^ words[i]) + 0x9e3779b9 | 0; // the constant keeps (0, 0, ...) from mapping to 0
    h = scramble(h);
  }
  return h;
}

/** A bijection of 32 bits, from 0 to 0 (fmix32). */
function scramble(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * Reduces a seed to 32 bits; a smaller seed is unchanged. Seeds that differ only in higher bits give different
 * results.
 */
export function seedOf32Bits(seed: number): number {
  return (seed ^ scramble(seed / 2 ** 32)) >>> 0;
}
