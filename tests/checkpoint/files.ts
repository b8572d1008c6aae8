/** Hand-made files, and trees as text, for the checkpoint tests. */
import { type Floats, read, type Tensor } from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { isTensor } from "../../src/check.ts";

/** A safetensors file with any header, valid or not; an object is written as JSON. */
export function fileOf(header: unknown, data: ArrayLike<number> = [], length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** The header of a file, unchanged. */
export function headerOf(bytes: Uint8Array): string {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return new TextDecoder().decode(bytes.subarray(8, 8 + length));
}

/** The bytes of a fixture. */
export function fixture(name: string): Uint8Array {
  return Deno.readFileSync(new URL(`../fixtures/${name}.safetensors`, import.meta.url));
}

/** All of a tree on a reference as text, including the order of keys, the sign of zeros and the bits of tensors. */
export function describe(tree: unknown): string {
  if (isTensor(tree)) {
    const values = engineOf(tree.backend).download(tree) as Floats;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return `${values.constructor.name}[${tree.shape}](${bytes.toHex()})`;
  }
  if (Array.isArray(tree)) return `[${tree.map(describe)}]`;
  if (typeof tree === "object" && tree !== null) {
    return `{${Object.entries(tree).map(([key, part]) => `${JSON.stringify(key)}:${describe(part)}`)}}`;
  }
  return Object.is(tree, -0) ? "-0" : typeof tree === "string" ? JSON.stringify(tree) : String(tree);
}

/** The numbers of the tensor at a path of a tree. */
export async function numbersAt(tree: unknown, ...path: readonly (string | number)[]): Promise<Float32Array> {
  return await read(path.reduce((branch, key) => (branch as Record<string, unknown>)[key], tree) as Tensor);
}
