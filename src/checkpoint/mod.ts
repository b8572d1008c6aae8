/**
 * Trees as files: parameters, states and the moments of an optimiser alike, in the safetensors format; and RWKV-4
 * checkpoints by their official names.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import { reference } from "../backends/reference/mod.ts";
import { checkBackend, isBranch, show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import type { Backend } from "../tensor.ts";
import { forEachTensor } from "../tree.ts";
import { hostValues } from "./host.ts";
import { malformed } from "./malformed.ts";
import { nest } from "./names.ts";
import { decode, encode, type StoredTensor } from "./safetensors.ts";
import { decodeTree, encodeTree, type Leaf, structureName } from "./structure.ts";

export { fromOfficialRwkv, toOfficialRwkv } from "./rwkv_names.ts";

/** What {@linkcode loadTree} finds in a file. */
export interface LoadedTree {
  /** The tree; only the caller knows of which type it is. */
  readonly tree: unknown;
  /** What was saved with it. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What {@linkcode loadTree} is to read. */
export interface LoadTreeOptions {
  /**
   * The names of the tensors that are wanted, as they are in the file; a branch's (`"blocks"`, `"blocks.0.att"`) is all below it.
   * The others may be of any dtype, and take no memory. They are left out of the tree: of objects, and of a saved tree's arrays,
   * which keep their length, as undefined. Default: all.
   */
  readonly only?: readonly string[] | undefined;
}

const optionNames: Names<LoadTreeOptions> = { only: 0 };

/**
 * Writes a tree as a safetensors file, the same bytes each time.
 *
 * Tensors are named by their paths, `blocks.0.timeMix.key`, so that any other reader finds them (where two paths read
 * alike, or one is `__metadata__`, a `#2` is added); a tensor in several places is stored once, by its first path, and comes
 * back as one tensor. They are stored as F32, those of a float64 reference as F64. Everything
 * else in the tree (numbers, texts, booleans, null, undefined, empty branches) stands with the tree's form in the
 * metadata, under the name `seqmix.tree` and with a version, and {@linkcode loadTree} gives it back as it was.
 *
 * @param tree nested plain objects and arrays, or a tensor; its tensors in host memory (`put` moves them there)
 * @param metadata texts to go with it; default: none
 * @returns the bytes of the file
 * @throws {TypeError} if the tree holds what would not come back as it was (a function, a bigint, an object of a class,
 *   a branch within itself), a tensor was freed or lives on a device that can't answer at once (WebGPU), or
 *   the metadata is not an object of texts
 * @throws {RangeError} if the tree is more than 32 branches deep, or the file's header would take more than 100 MB, or
 *   there is no room for the file
 *
 * @example A model, to a file and back
 * ```ts
 * import { loadTree, presets, rwkv, type RwkvParams, saveTree } from "@seqmix/seqmix";
 *
 * const bytes = saveTree(rwkv.init(presets.matched.rwkv, 1), { task: "motifs" });
 * const { tree, metadata } = loadTree(bytes); // bytes: Deno.writeFile, Deno.readFile
 * const params = tree as RwkvParams;
 * console.log(params.blocks.length, params.head.shape, metadata); // 4 [ 64, 32 ] { task: "motifs" }
 * ```
 */
export function saveTree(tree: unknown, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const action = "save tree";
  checkMetadata(action, metadata);
  const { text, tensors } = encodeTree(tree);
  const named = Array.from(tensors, ([name, t]) => ({ name, shape: t.shape, values: hostValues(action, t) }));
  return encode(named, Object.fromEntries([...Object.entries(metadata), [structureName, text]]));
}

/**
 * Reads a safetensors file of F64, F32, F16 or BF16 tensors, {@linkcode saveTree}'s or another's.
 *
 * A file made elsewhere has no form to go by, so its names are taken for paths: `blocks.0.att.key.weight` becomes
 * `tree.blocks[0].att.key.weight`. A branch whose keys are 0 to n - 1 is an array.
 *
 * A file is checked as a whole before any tensor is made: each length, offset and name in it may lie, and nothing
 * is allocated for it on its word. The tensors are copies; the bytes can be used again.
 *
 * @param bytes the file
 * @param backend where the tensors live; default: the reference. Of F64, all but a float64 reference keep single precision
 * @param options which tensors
 * @returns the tree, and the metadata without the tree's form
 * @throws {TypeError} if bytes is neither a Uint8Array nor an ArrayBuffer, or what is in it is another kind of file (PyTorch's,
 *   GGUF, a web page, a git-lfs pointer) or breaks a rule: of the format, of the form of the tree (a version that this one
 *   doesn't know), or of names (one that is a tensor and begins another, one of more than 32 parts); or on an unknown option
 * @throws {RangeError} if a name in `only` is not in the file, or there is no room; the backend then holds what it held before
 *
 * @example The embedding alone
 * ```ts
 * import { loadTree, presets, rwkv, saveTree } from "@seqmix/seqmix";
 *
 * const bytes = saveTree(rwkv.init(presets.matched.rwkv, 1));
 * console.log(loadTree(bytes, undefined, { only: ["embedding"] }).tree); // { embedding: Tensor [64, 32] on reference, … }
 * ```
 *
 * @example A file made elsewhere: the header's length, the header, one number
 * ```ts
 * import { loadTree, read, type Tensor } from "@seqmix/seqmix";
 *
 * const text = '{"blocks.0.weight":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}';
 * const header = new TextEncoder().encode(text);
 * const bytes = Uint8Array.of(header.length, 0, 0, 0, 0, 0, 0, 0, ...header, 0x80, 0x3f);
 * const tree = loadTree(bytes).tree as { blocks: { weight: Tensor }[] };
 * console.log(await read(tree.blocks[0].weight)); // Float32Array [ 1 ]
 * ```
 */
export function loadTree(
  bytes: Uint8Array | ArrayBuffer,
  backend: Backend = reference,
  options: LoadTreeOptions = {},
): LoadedTree {
  const action = "load tree";
  const file = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  if (!(file instanceof Uint8Array)) {
    throw malformed("bytes must be a Uint8Array or an ArrayBuffer", `value is ${show(bytes)}`);
  }
  checkBackend(action, backend);
  checkNames(action, options, optionNames);
  const { only } = options;
  if (only !== undefined && !(Array.isArray(only) && only.every((name) => typeof name === "string"))) {
    throw malformed("only must be a list of names", `value is ${show(only)}`);
  }
  const { tensors, metadata } = decode(file, only);
  const form = metadata.get(structureName);
  const wanted = new Map([...tensors].filter((entry): entry is [string, StoredTensor] => entry[1] !== null));
  const build = form === undefined ? (leaf: Leaf) => nest(wanted, leaf) : decodeTree(form, tensors);
  // Once for its errors, while no tensor exists yet; so what is found here only looks like one.
  forEachTensor(build((stored) => stored), () => {
    throw malformed(
      "an object of the tree must not look like a tensor",
      "one has a backend and a list as its shape",
    );
  });
  const tree = backend.scope(() =>
    build((stored) => engineOf(backend).upload(stored.values(), stored.shape))
  );
  return {
    tree,
    metadata: Object.fromEntries(Array.from(metadata).filter(([name]) => name !== structureName)),
  };
}

function checkMetadata(action: string, metadata: unknown): void {
  if (!isBranch(metadata) || Array.isArray(metadata)) {
    throw new TypeError(
      `Cannot ${action}: metadata must be an object of texts, current value is ${show(metadata)}`,
    );
  }
  for (const [name, text] of Object.entries(metadata)) {
    if (typeof text !== "string" || !text.isWellFormed() || !name.isWellFormed()) {
      throw new TypeError(
        `Cannot ${action}: metadata must be an object of texts in Unicode, current ${show(name)} is ${
          show(text)
        }`,
      );
    }
    if (name === structureName) {
      throw new TypeError(
        `Cannot ${action}: metadata must leave ${show(structureName)} to the tree's form, current value is ${
          show(text)
        }`,
      );
    }
  }
}
