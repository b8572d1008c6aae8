/**
 * A hash of training examples (FNV-1a), by which a resumed training recognises them.
 *
 * @module
 */
import { isBranch } from "../check.ts";

/** A hash of sequences of ids and their order. */
export function fingerprint(sequences: readonly ArrayLike<number>[]): string {
  const hash = new Hash();
  for (const sequence of sequences) hash.addList(sequence);
  return hash.text;
}

/** A hash of examples of any kind and their order: of the numbers, texts and names in them. */
export function fingerprintOfExamples(examples: readonly unknown[]): string {
  const hash = new Hash();
  for (const example of examples) hash.addValue(example);
  return hash.text;
}

class Hash {
  #hash = 0x811c9dc5;
  readonly #double = new Float64Array(1);
  readonly #words = new Int32Array(this.#double.buffer);

  get text(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  #add(word: number): void {
    this.#hash = Math.imul(this.#hash ^ word, 0x01000193);
  }

  addList(ids: ArrayLike<number>): void {
    this.#add(ids.length);
    for (let t = 0; t < ids.length; t++) this.#add(ids[t]);
  }

  addValue(value: unknown): void {
    if (typeof value === "number") return this.#addDouble(value);
    if (typeof value === "string") {
      this.#add(value.length);
      for (let i = 0; i < value.length; i++) this.#add(value.charCodeAt(i));
    } else if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      const numbers = value as Float64Array;
      this.#add(numbers.length);
      for (let i = 0; i < numbers.length; i++) this.#addDouble(numbers[i]);
    } else if (Array.isArray(value)) {
      this.#add(value.length);
      value.forEach((item) => this.addValue(item));
    } else if (isBranch(value)) {
      for (const key of Object.keys(value)) {
        this.addValue(key);
        this.addValue(value[key]);
      }
    } else this.addValue(String(value));
  }

  #addDouble(value: number): void {
    this.#double[0] = value;
    this.#add(this.#words[0]);
    this.#add(this.#words[1]);
  }
}
