import { assert, assertEquals, assertThrows } from "@std/assert";
import { randomSource } from "../src/random.ts";

const take = (n: number, draw: () => number) => Array.from({ length: n }, draw);

/** Half the bits differ if two streams are independent; 64 words have 2048 bits, standard deviation 23. */
function differingBits(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, word, i) => sum + (word ^ b[i]).toString(2).replaceAll(/[^1]/g, "").length, 0);
}

Deno.test("randomSource() gives the same numbers from the same seed and path", () => {
  for (const path of [[], [3], [3, 0]]) {
    assertEquals(take(9, randomSource(7, ...path).uint32), take(9, randomSource(7, ...path).uint32));
  }
});

Deno.test("randomSource() computes sfc32", () => {
  // The equations of the docstring and of fmix32 in big integers, which can't have errors of 32-bit arithmetic.
  const mask = 0xffffffffn;
  const hash = (start: bigint, words: readonly bigint[]) =>
    words.reduce((h, word) => {
      h = ((h ^ word) + 0x9e3779b9n) & mask;
      h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
      h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
      return h ^ (h >> 16n);
    }, start);
  const seed = 2 ** 53 - 1;
  const words = [2n, mask, BigInt(2 ** 21 - 1), 5n, 0n];
  let [a, b, c] = [0x243f6a88n, 0x85a308d3n, 0x13198a2en].map((start) => hash(start, words));
  const expected: number[] = [];
  for (let counter = 1n; counter <= 15n + 20n; counter++) {
    const out = (a + b + counter) & mask;
    [a, b, c] = [b ^ (b >> 9n), (c * 9n) & mask, ((((c << 21n) | (c >> 11n)) & mask) + out) & mask];
    if (counter > 15n) expected.push(Number(out));
  }
  assertEquals(take(20, randomSource(seed, 5).uint32), expected);
});

Deno.test("randomSource() gives independent streams for neighbouring seeds and paths", () => {
  const paths = [[0], [1], [2], [2 ** 32], [2 ** 32 + 1], [0, 0], [0, 1], [1, 0], [0, 0, 0], [0, 2 ** 32]];
  const streams = paths.map(([seed, ...path]) => take(64, randomSource(seed, ...path).uint32));
  for (let i = 0; i < streams.length; i++) {
    for (let j = 0; j < i; j++) {
      const bits = differingBits(streams[i], streams[j]);
      assert(Math.abs(bits - 1024) < 6 * 23, `${paths[i]} and ${paths[j]} differ in ${bits} bits of 2048`);
    }
  }
});

Deno.test("randomSource() gives first numbers that are uniform over the seeds", () => {
  const bins = new Float64Array(64);
  for (let seed = 0; seed < 6400; seed++) bins[randomSource(seed).integer(64)]++;
  const chiSquare = bins.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
  assert(chiSquare < 63 + 6 * Math.sqrt(126), `chi-square is ${chiSquare} with 63 degrees of freedom`);
});

Deno.test("randomSource() uniform is in [0, 1) with the right moments", () => {
  const n = 100_000;
  const numbers = take(n, randomSource(1).uniform);
  assert(numbers.every((u) => u >= 0 && u < 1));
  assert(numbers.some((u) => (u * 2 ** 32) % 1 !== 0), "no more than 32 bits are used");
  const mean = numbers.reduce((sum, u) => sum + u, 0) / n;
  const variance = numbers.reduce((sum, u) => sum + (u - 0.5) ** 2, 0) / n;
  assert(Math.abs(mean - 1 / 2) < 5 * Math.sqrt(1 / 12 / n));
  assert(Math.abs(variance - 1 / 12) < 5 * Math.sqrt(1 / 180 / n));
});

Deno.test("randomSource() normal has the right moments", () => {
  const n = 100_000;
  const numbers = take(n, randomSource(2).normal);
  const moment = (k: number) => numbers.reduce((sum, x) => sum + x ** k, 0) / n;
  // The k-th moment's sampling variance is (E x^2k - (E x^k)²) / n, with E x^2, x^4, x^6, x^8 = 1, 3, 15, 105.
  for (const [k, mean, variance] of [[1, 0, 1], [2, 1, 2], [3, 0, 15], [4, 3, 96]]) {
    const error = Math.abs(moment(k) - mean);
    assert(error < 5 * Math.sqrt(variance / n), `moment ${k} is ${moment(k)}, expected ${mean}`);
  }
  // Successive numbers come from different draws, so they are not correlated.
  const lagged = numbers.reduce((sum, x, i) => sum + (i > 0 ? x * numbers[i - 1] : 0), 0) / n;
  assert(Math.abs(lagged) < 5 / Math.sqrt(n));
});

Deno.test("randomSource() integer is uniform", () => {
  const { integer } = randomSource(3);
  const n = 3 * 2 ** 30; // modulo n without rejection, a quarter of the words would count double
  const draws = 10_000;
  const low = take(draws, () => integer(n)).filter((i) => i < 2 ** 30).length;
  assert(Math.abs(low - draws / 3) < 5 * Math.sqrt(draws * 2 / 9), `${low} of ${draws} in the lowest third`);
  assertEquals(new Set(take(200, () => integer(5))), new Set([0, 1, 2, 3, 4]));
  assertEquals(take(3, () => integer(1)), [0, 0, 0]);
  assert(take(100, () => integer(2 ** 32)).some((i) => i >= 2 ** 31));
});

Deno.test("randomSource() refuses seeds and paths that are not integers in range", () => {
  for (const seed of [-1, 0.5, NaN, Infinity]) {
    assertThrows(
      () => randomSource(seed),
      RangeError,
      `Cannot make a random source: seed must be an integer at least 0, current value is ${seed}`,
    );
  }
  assertThrows(
    () => randomSource(2 ** 53),
    RangeError,
    "Cannot make a random source: seed must be an integer from 0 to 2⁵³ - 1, current value is 9007199254740992",
  );
  assertThrows(
    () => randomSource(1, 0, NaN),
    RangeError,
    "Cannot make a random source: path[1] must be an integer at least 0, current value is NaN",
  );
  for (const n of [0, 1.5, NaN, 2 ** 32 + 1]) {
    assertThrows(
      () => randomSource(1).integer(n),
      RangeError,
      `Cannot draw a random integer: n must be an integer from 1 to 4294967296, current value is ${n}`,
    );
  }
});
