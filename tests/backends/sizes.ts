import fc from "fast-check";

/** Integers from 0 to 2⁵³ - 1 of every magnitude, often next to a power of two, where 32-bit arithmetic wraps. */
export const anySize: fc.Arbitrary<number> = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 52 }), fc.double({ min: 1, max: 2, maxExcluded: true, noNaN: true }))
    .map(([exponent, factor]) => Math.floor(2 ** exponent * factor)),
  fc.tuple(fc.integer({ min: 0, max: 53 }), fc.integer({ min: -129, max: 129 }))
    .map(([exponent, beside]) => Math.min(Math.max(0, 2 ** exponent + beside), Number.MAX_SAFE_INTEGER)),
  fc.maxSafeNat(),
);
