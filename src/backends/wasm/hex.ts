/**
 * The bytes that hexadecimal digits stand for. Base64 would take less room as it stands, but more once a package is
 * compressed, for it cuts bytes apart.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  // The loop below takes milliseconds, before it is compiled; not all runtimes can do without it.
  if (typeof Uint8Array.fromHex === "function") return Uint8Array.fromHex(text);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = 16 * digit(text.charCodeAt(2 * i)) + digit(text.charCodeAt(2 * i + 1));
  }
  return bytes;
}

/** Of "0" to "9" and "a" to "f". */
function digit(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
