/**
 * Saves trees as files in the safetensors format: parameters, states and the moments of an optimiser alike. Converts
 * RWKV-4 checkpoints from and to their official names.
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

/** The result of {@linkcode loadTree}. */
export interface LoadedTree {
  /** The tree, whose type only the caller knows. */
  readonly tree: unknown;
  /** The metadata that was saved with it. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Options of {@linkcode loadTree}. */
export interface LoadTreeOptions {
  /**
   * The names of the tensors to load, as they are in the file; the name of a branch (`"blocks"`, `"blocks.0.att"`)
   * stands for all tensors below it. The others may have any dtype, and take no memory: they are missing from the
   * tree's objects, and undefined in the arrays of a saved tree, which keep their length. Default: all.
   */
  readonly only?: readonly string[] | undefined;
}

const optionNames: Names<LoadTreeOptions> = { only: 0 };

/**
 * Writes a tree as a safetensors file; equal trees give equal bytes.
 *
 * Tensors are named by their paths, such as `blocks.0.timeMix.key`, so that other readers find them. (If two paths
 * give the same name, or one is `__metadata__`, `#2` is appended.) A tensor in several places is stored once, by its
 * first path, and is loaded as one tensor. Tensors are stored as F32, those of a float64 reference as F64. All other
 * values in the tree (numbers, strings, booleans, null, undefined, empty branches) are stored with the tree's form in
 * the metadata, under the name `seqmix.tree` and with a version; {@linkcode loadTree} restores them.
 *
 * @param tree nested plain objects and arrays, or a tensor; its tensors must be in host memory (`put` moves them
 *   there)
 * @param metadata strings to store with it; default: none
 * @returns the bytes of the file
 * @throws {TypeError} if the tree holds a value that could not be restored (a function, a bigint, an object of a
 *   class, a branch that contains itself); if a tensor was freed, or lives on a device that can only be read
 *   asynchronously (WebGPU); or if the metadata is not an object of strings
 * @throws {RangeError} if the tree is more than 32 branches deep, if the file's header would take more than 100 MB,
 *   or if there is no memory for the file
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
export function saveTree(
  tree: unknown,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const action = "save tree";
  checkMetadata(action, metadata);
  const { text, tensors } = encodeTree(tree);
  const named = Array.from(tensors, ([name, t]) => ({ name, shape: t.shape, values: hostValues(action, t) }));
  return encode(named, Object.fromEntries([...Object.entries(metadata), [structureName, text]]));
}

/**
 * Reads a safetensors file with tensors of dtype F64, F32, F16 or BF16, written by {@linkcode saveTree} or any other
 * program.
 *
 * If the file does not contain the form of a tree, the tensors' names are taken for paths: `blocks.0.att.key.weight`
 * becomes `tree.blocks[0].att.key.weight`. A branch whose keys are 0 to n - 1 is an array.
 *
 * The whole file is validated before any tensor is created: no length, offset or name in it is trusted, and nothing
 * is allocated on its word. The tensors are copies, so the bytes may be reused.
 *
 * @param bytes the file
 * @param backend where the tensors live; default: the reference. Only a float64 reference keeps the precision of F64
 * @param options the tensors to load
 * @returns the tree, and the metadata without the tree's form
 * @throws {TypeError} if bytes is neither a Uint8Array nor an ArrayBuffer; if it is another kind of file (PyTorch's,
 *   GGUF, an HTML page, a git-lfs pointer) or invalid in its format, in the form of the tree (including a newer
 *   version of it) or in its names (a tensor's name that others begin with, or one of more than 32 parts); or on an
 *   unknown option
 * @throws {RangeError} if a name in `only` is not in the file, or if memory is exhausted; the backend then holds what
 *   it held before
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
 * console.log(await read(tree.blocks[0].weight)); // Float32Array(1) [ 1 ]
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
  // Built without tensors first, so that errors, such as an object that looks like a tensor, are found before anything is
  // allocated.
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
