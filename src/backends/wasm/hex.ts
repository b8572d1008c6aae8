/**
 * Decodes hexadecimal digits. Base64 is shorter, but takes more space once a package is compressed, because its
 * digits straddle bytes.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  // The loop below takes milliseconds before it is optimised, but not all runtimes have `fromHex`.
  if (typeof Uint8Array.fromHex === "function") return Uint8Array.fromHex(text);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = 16 * digit(text.charCodeAt(2 * i)) + digit(text.charCodeAt(2 * i + 1));
  }
  return bytes;
}

/** The value of a digit "0" to "9" or "a" to "f". */
function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
