/**
 * The safetensors container (https://github.com/huggingface/safetensors, "Format"): the header's length as a
 * little-endian 64-bit integer, the header as JSON, then the tensors' bytes one after another without gaps.
 *
 *     { "__metadata__": { name: text }, name: { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] } }
 *
 * The bytes of typed arrays are copied as they are: every platform that runs WebAssembly is little-endian.
 *
 * @module
 */
import { hostArray } from "../allocate.ts";
import type { Floats } from "../tensor.ts";
import { widenBfloat16, widenFloat16 } from "./half.ts";
import { isObject, parseJson } from "./json.ts";
import { nearest } from "../names.ts";
import { brief, malformed } from "./malformed.ts";
import { notSafetensors } from "./other_formats.ts";

/** The one name in a header that is not a tensor's. */
export const metadataName = "__metadata__";

/** The official reader's limit, in bytes. */
const longestHeader = 100_000_000;

/** A tensor to save. */
interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Floats;
}

/** How the numbers of a dtype are stored. */
interface Format {
  readonly bytes: number;
  readonly read: (buffer: ArrayBuffer) => Floats;
}

/** A Map, since a file may give a dtype such as `constructor`. */
const formats: ReadonlyMap<unknown, Format> = new Map<unknown, Format>([
  ["F64", { bytes: 8, read: (buffer) => new Float64Array(buffer) }],
  ["F32", { bytes: 4, read: (buffer) => new Float32Array(buffer) }],
  ["F16", { bytes: 2, read: (buffer) => widenFloat16(new Uint16Array(buffer)) }],
  ["BF16", { bytes: 2, read: (buffer) => widenBfloat16(new Uint16Array(buffer)) }],
]);

/** A validated tensor of a file: its bytes, and how to read them. */
export class StoredTensor {
  readonly shape: readonly number[];
  readonly #format: Format;
  readonly #bytes: Uint8Array;

  constructor(shape: readonly number[], format: Format, bytes: Uint8Array) {
    this.shape = shape;
    this.#format = format;
    this.#bytes = bytes;
  }

  /** Returns a copy of the numbers. */
  values(): Floats {
    // Not bytes.slice(), which on Node's Buffer returns a view; and the file's bytes need not be aligned.
    const copy = hostArray<Uint8Array<ArrayBuffer>>("load tree", Uint8Array, this.#bytes.length);
    copy.set(this.#bytes);
    return this.#format.read(copy.buffer);
  }
}

/** Writes a file with these tensors, whose names are distinct. */
export function encode(
  tensors: readonly NamedValues[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // As the official writer does: wide numbers first, so that all are aligned, and then by name.
  const sorted = tensors.toSorted((a, b) =>
    b.values.BYTES_PER_ELEMENT - a.values.BYTES_PER_ELEMENT || (a.name < b.name ? -1 : 1)
  );
  let end = 0;
  const entries = sorted.map(({ name, shape, values }): [string, unknown] => {
    const dtype = values.BYTES_PER_ELEMENT === 8 ? "F64" : "F32";
    return [name, { dtype, shape, data_offsets: [end, end += values.byteLength] }];
  });
  const text = JSON.stringify(Object.fromEntries([[metadataName, metadata], ...entries]));
  const header = new TextEncoder().encode(text);
  const padded = Math.ceil(header.length / 8) * 8;
  if (padded > longestHeader) {
    throw new RangeError(
      `Cannot save tree: names, structure and metadata must take at most ${longestHeader} bytes, ` +
        `current length is ${padded}`,
    );
  }
  const bytes = hostArray<Uint8Array<ArrayBuffer>>("save tree", Uint8Array, 8 + padded + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(header, 8);
  bytes.fill(0x20, 8 + header.length, 8 + padded);
  let offset = 8 + padded;
  for (const { values } of sorted) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    offset += values.byteLength;
  }
  return bytes;
}

/**
 * Reads the tensors of a file by name, null for those that are not wanted, and its metadata. Validates everything,
 * and copies none of the tensors' bytes.
 *
 * @param only the names of the wanted tensors or branches; default: all
 */
export function decode(bytes: Uint8Array, only?: readonly string[]): {
  tensors: ReadonlyMap<string, StoredTensor | null>;
  metadata: ReadonlyMap<string, string>;
} {
  const { header, data } = split(bytes);
  const isWanted = only === undefined ? () => true : wantedBy(only, Object.keys(header));
  const metadata = new Map<string, string>();
  const ranges: Range[] = [];
  const tensors = new Map<string, StoredTensor | null>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === metadataName) {
      for (const [key, value] of metadataEntries(entry)) metadata.set(key, value);
    } else {
      const wanted = isWanted(name);
      const { format, shape, begin, end } = tensorEntry(name, entry, data.length, wanted);
      ranges.push({ name, begin, end });
      tensors.set(name, wanted ? new StoredTensor(shape, format!, data.subarray(begin, end)) : null);
    }
  }
  checkRanges(ranges, data.length);
  return { tensors, metadata };
}

/** Returns whether a name is wanted or below a wanted branch. Each wanted name must be in the file. */
function wantedBy(only: readonly string[], header: readonly string[]): (name: string) => boolean {
  const names = header.filter((name) => name !== metadataName);
  const isBelow = (name: string, branch: string) => name === branch || name.startsWith(`${branch}.`);
  for (const wanted of only) {
    if (names.some((name) => isBelow(name, wanted))) continue;
    const parts = wanted.split(".").length;
    const near = nearest(wanted, new Set(names.map((name) => name.split(".", parts).join("."))));
    throw new RangeError(
      `Cannot load tree: only must have names of the file (${
        near === undefined ? `of ${brief(names)}` : `perhaps ${brief(near)}`
      }), current one is ${brief(wanted)}`,
    );
  }
  return (name) => only.some((wanted) => isBelow(name, wanted));
}

function split(bytes: Uint8Array): { header: Readonly<Record<string, unknown>>; data: Uint8Array } {
  if (bytes.length < 8) {
    throw notSafetensors(bytes, "a file must be at least 8 bytes", `length is ${bytes.length}`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > longestHeader) {
    throw notSafetensors(
      bytes,
      `header must be at most ${longestHeader} bytes`,
      `header's length is ${length}`,
    );
  }
  const start = 8 + Number(length);
  if (start > bytes.length) {
    const requirement = `a file with a header of ${length} bytes must be longer`;
    throw notSafetensors(bytes, requirement, `length is ${bytes.length}`);
  }
  const header = bytes.subarray(8, start);
  if (header[0] !== 0x7b) {
    const first = header.length === 0 ? "none" : `0x${header[0].toString(16).padStart(2, "0")}`;
    throw notSafetensors(bytes, "header must begin with {", `first byte is ${first}`);
  }
  // JSON that starts with { is an object.
  return {
    header: parseJson(readText(header), "header") as Record<string, unknown>,
    data: bytes.subarray(start),
  };
}

function readText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw malformed("header must be UTF-8", "bytes are not", error);
  }
}

function metadataEntries(metadata: unknown): [string, string][] {
  if (!isObject(metadata)) {
    throw malformed(`${metadataName} must be an object of strings`, `value is ${brief(metadata)}`);
  }
  return Object.entries(metadata).map(([key, value]) => {
    if (typeof value !== "string") {
      throw malformed(`${metadataName} must be an object of strings`, `${brief(key)} is ${brief(value)}`);
    }
    return [key, value];
  });
}

/** The range of a tensor's bytes. */
interface Range {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

function tensorEntry(
  name: string,
  entry: unknown,
  dataLength: number,
  isWanted: boolean,
): { format: Format | undefined; shape: readonly number[]; begin: number; end: number } {
  const tensor = `tensor ${brief(name)}`;
  if (!isObject(entry)) throw malformed(`${tensor} must be an object`, `value is ${brief(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const format = formats.get(dtype);
  if (isWanted && format === undefined) {
    throw malformed(
      `dtype of ${tensor} must be one of ${
        [...formats.keys()].join(", ")
      } (the option only leaves others out)`,
      `dtype is ${brief(dtype)}`,
    );
  }
  if (!isSizes(shape)) {
    throw malformed(`shape of ${tensor} must be a list of sizes`, `shape is ${brief(shape)}`);
  }
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1] || offsets[1] > dataLength) {
    throw malformed(
      `data_offsets of ${tensor} must be [begin, end] within the ${dataLength} bytes of data`,
      `data_offsets are ${brief(offsets)}`,
    );
  }
  const [begin, end] = offsets;
  // A product too large to be exact exceeds any file, and NaN is not equal to anything.
  if (format !== undefined && shape.reduce((bytes, axis) => bytes * axis, format.bytes) !== end - begin) {
    throw malformed(
      `${tensor} must take the bytes of its shape ${brief(shape)} and dtype ${dtype}`,
      `length is ${end - begin}`,
    );
  }
  return { format, shape, begin, end };
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) &&
    value.every((size) => Number.isSafeInteger(size) && size >= 0 && !Object.is(size, -0));
}

/**
 * Each byte of the data must belong to exactly one tensor, so that a file never holds less than it is loaded into.
 */
function checkRanges(ranges: Range[], dataLength: number): void {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const range of ranges) {
    if (range.begin !== end) {
      throw malformed(
        `tensor ${brief(range.name)} must begin where the one before it ends, at ${end}`,
        `data_offsets are [${range.begin}, ${range.end}]`,
      );
    }
    end = range.end;
  }
  if (end !== dataLength) throw malformed(`data must be ${end} bytes`, `length is ${dataLength}`);
}
