/**
 * The two 16-bit forms of a number, widened exactly: every one of them is also a float32. Integers hold the bits, so
 * that nothing on the way touches the payload of a NaN.
 *
 * @module
 */
import { hostArray } from "../allocate.ts";

/** The F16 numbers (IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction) with these bits. */
export function widenFloat16(halves: Uint16Array): Float32Array {
  const bits = roomFor(halves);
  const numbers = new Float32Array(bits.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const sign = (half & 0x8000) << 16;
    if ((half & 0x7c00) === 0x7c00) {
      bits[i] = sign | 0x7f800000 | (half & 0x3ff) << 13;
    } else {
      // Exponent and fraction put where a float32 has them are off by the difference of the biases, 127 - 15, and
      // the product with that power of two also turns a subnormal half into the normal number that it is.
      bits[i] = (half & 0x7fff) << 13;
      numbers[i] *= 2 ** 112;
      bits[i] |= sign;
    }
  }
  return numbers;
}

/** The BF16 numbers with these bits: a float32's upper half. */
export function widenBfloat16(halves: Uint16Array): Float32Array {
  const bits = roomFor(halves);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

function roomFor(halves: Uint16Array): Uint32Array<ArrayBuffer> {
  return hostArray<Uint32Array<ArrayBuffer>>("load tree", Uint32Array, halves.length);
}
