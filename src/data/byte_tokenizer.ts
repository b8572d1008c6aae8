/**
 * Text as the bytes of UTF-8.
 *
 * @module
 */
import { show } from "../check.ts";

/** Text that arrives byte by byte: see {@linkcode ByteTokenizer.stream}. */
export interface ByteStream {
  /**
   * The text that is complete after one id or several: `""` while a character is incomplete. Throws as
   * {@linkcode ByteTokenizer.decode} does.
   */
  push(ids: number | ArrayLike<number>): string;
  /**
   * Ends the text: `"\ufffd"` if its last character is incomplete, else `""`. The next {@linkcode push} begins another.
   */
  end(): string;
}

/** Converts between text and token ids: see {@linkcode byteTokenizer}. */
export interface ByteTokenizer {
  /** The number of different ids: 256. */
  readonly vocabulary: number;
  /** The ids of a text. Throws a TypeError if it is not a string. */
  encode(text: string): Uint8Array;
  /**
   * The text of ids; bytes that are not valid UTF-8 become `"\ufffd"`. Throws a TypeError if ids is not a list, and a
   * RangeError if an id is not an integer from 0 to 255.
   */
  decode(ids: ArrayLike<number>): string;
  /** A decoder for ids that arrive one after the other. It never returns a part of a character. */
  stream(): ByteStream;
}

/**
 * A tokenizer that needs no vocabulary file: the ids of a text are the bytes of UTF-8, from 0 to 255. Any text can be
 * encoded, and decoding gives it back. (Lone surrogates become `"\ufffd"`.)
 *
 * @example
 * ```ts
 * import { byteTokenizer } from "@seqmix/seqmix";
 *
 * const ids = byteTokenizer.encode("né");
 * console.log(ids, byteTokenizer.decode(ids)); // Uint8Array(3) [ 110, 195, 169 ] né
 *
 * const stream = byteTokenizer.stream();
 * console.log(Array.from(ids, (id) => stream.push(id))); // [ "n", "", "é" ]
 * ```
 */
export const byteTokenizer: ByteTokenizer = {
  vocabulary: 256,

  encode(text) {
    if (typeof text !== "string") {
      throw new TypeError(`Cannot encode text: text must be a string, current value is ${show(text)}`);
    }
    return new TextEncoder().encode(text);
  },

  decode: (ids) => newDecoder().decode(bytesOf(ids)),

  stream() {
    const decoder = newDecoder();
    return {
      push: (ids) => decoder.decode(bytesOf(typeof ids === "number" ? [ids] : ids), { stream: true }),
      end: () => decoder.decode(),
    };
  },
};

function newDecoder(): TextDecoder {
  // By default a decoder drops U+FEFF at the beginning.
  return new TextDecoder("utf-8", { ignoreBOM: true });
}

function bytesOf(ids: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const action = "decode bytes";
  if (typeof ids === "string" || typeof ids?.length !== "number") {
    throw new TypeError(`Cannot ${action}: ids must be a list of numbers, current value is ${show(ids)}`);
  }
  const bytes = new Uint8Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    // Only a number can be converted without an error of its own.
    if (typeof id === "number") bytes[i] = id;
    if (bytes[i] !== id) {
      throw new RangeError(
        `Cannot ${action}: ids must be integers from 0 to 255, current ids[${i}] is ${show(ids[i])}`,
      );
    }
  }
  return bytes;
}
