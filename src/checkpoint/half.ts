/**
 * Converts 16-bit floats to float32, which is exact for every value. The bits are handled as integers, so that the
 * payload of a NaN is preserved.
 *
 * @module
 */
import { hostArray } from "../allocate.ts";

/** Converts F16 numbers (IEEE 754 binary16: 1 sign bit, 5 exponent bits, 10 fraction bits), given as bits. */
export function widenFloat16(halves: Uint16Array): Float32Array {
  const bits = roomFor(halves);
  const numbers = new Float32Array(bits.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const sign = (half & 0x8000) << 16;
    if ((half & 0x7c00) === 0x7c00) {
      bits[i] = sign | 0x7f800000 | (half & 0x3ff) << 13;
    } else {
      // Moving exponent and fraction to their places in a float32 leaves the exponent too small by the difference of
      // the biases, 127 - 15. Multiplying by that power of two also normalizes subnormal numbers.
      bits[i] = (half & 0x7fff) << 13;
      numbers[i] *= 2 ** 112;
      bits[i] |= sign;
    }
  }
  return numbers;
}

/** Converts BF16 numbers, given as bits: they are the upper halves of float32 numbers. */
export function widenBfloat16(halves: Uint16Array): Float32Array {
  const bits = roomFor(halves);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

function roomFor(halves: Uint16Array): Uint32Array<ArrayBuffer> {
  return hostArray<Uint32Array<ArrayBuffer>>("load tree", Uint32Array, halves.length);
}
