import { widenBfloat16, widenFloat16 } from "../../src/checkpoint/half.ts";
import { assertSame } from "../helpers.ts";

const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

/** A number by the definition of IEEE 754: sign, exponent, fraction. */
function number(bits: number, exponentBits: number): number {
  const fractionBits = 15 - exponentBits;
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

Deno.test("widenFloat16() converts every bit pattern", () => {
  assertSame(widenFloat16(all), Array.from(all, (bits) => number(bits, 5)));
});

Deno.test("widenBfloat16() converts every bit pattern", () => {
  assertSame(widenBfloat16(all), Array.from(all, (bits) => number(bits, 8)));
});

Deno.test("widenFloat16() and widenBfloat16() keep the payload of a NaN", () => {
  const bits = (numbers: Float32Array) => new Uint32Array(numbers.buffer);
  assertSame(bits(widenFloat16(new Uint16Array([0x7e01, 0xfc01]))), [0x7fc02000, 0xff802000]);
  assertSame(bits(widenBfloat16(new Uint16Array([0x7fc1, 0xff81]))), [0x7fc10000, 0xff810000]);
});
