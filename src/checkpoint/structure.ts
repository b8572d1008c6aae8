/**
 * The form of a tree as text, stored in a file's metadata: which branches are arrays, the order of keys, and all
 * values that are not tensors.
 *
 * It is the tree as JSON, with a tensor as `{ "$tensor": name }` and a value that JSON lacks as `{ "$value": word }`.
 * In version 2, which is written only if it is needed, several places may have the same tensor. Keys of the tree that
 * start with `$` get another `$`, so that they can't be mistaken for these.
 *
 * @module
 */
import { isBranch, isTensor, show } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import { deepestTree, isObject, parseJson } from "./json.ts";
import { brief, malformed } from "./malformed.ts";
import { metadataName, type StoredTensor } from "./safetensors.ts";

/** The name of the form in a file's metadata. */
export const structureName = "seqmix.tree";

/** The version of files in which every tensor has one place, and the version of all others. */
const onePlace = 1, anyPlaces = 2;

/** The values that JSON would lose or change. */
const words: ReadonlyMap<unknown, unknown> = new Map<unknown, unknown>([
  ["undefined", undefined],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/** Takes the place of a tensor that is not wanted. */
const absent = Symbol();

/** Creates the leaf of the tree for a tensor of the file. */
export type Leaf = (stored: StoredTensor) => unknown;

/**
 * The form of a tree, and its tensors by their names in it.
 *
 * @throws {TypeError} if the tree holds a value that could not be restored
 */
export function encodeTree(tree: unknown): { text: string; tensors: ReadonlyMap<string, Tensor> } {
  const tensors = new Map<string, Tensor>(), names = new Map<Tensor, string>();
  let version = onePlace;
  const encoded = encodeBranch(tree, [], [], (t, path) => {
    const known = names.get(t);
    if (known !== undefined) {
      version = anyPlaces;
      return known;
    }
    const name = freeName(path, tensors);
    tensors.set(name, t);
    names.set(t, name);
    return name;
  });
  return { text: JSON.stringify({ version, tree: encoded }), tensors };
}

function encodeBranch(
  value: unknown,
  path: readonly string[],
  around: readonly unknown[],
  nameOf: (t: Tensor, path: readonly string[]) => string,
): unknown {
  if (isTensor(value)) return { $tensor: nameOf(value, path) };
  if (isBranch(value)) {
    checkBranch(value, path, around);
    const inside = [...around, value];
    const parts = Object.entries(value).map(([key, part]): [string, unknown] => [
      key.startsWith("$") ? `$${key}` : key,
      encodeBranch(part, [...path, key], inside, nameOf),
    ]);
    return Array.isArray(value) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
  }
  for (const [word, meant] of words) if (Object.is(value, meant)) return { $value: word };
  if (
    value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number"
  ) {
    return value;
  }
  throw new TypeError(
    `Cannot save tree: ${pathName(path)} must be a tensor, an array, a plain object, a number, a string, ` +
      `a boolean, null or undefined, current value is ${show(value)}`,
  );
}

function checkBranch(
  value: Readonly<Record<string, unknown>>,
  path: readonly string[],
  around: readonly unknown[],
): void {
  if (around.includes(value)) {
    throw new TypeError(
      `Cannot save tree: ${pathName(path)} must not lie within itself, current value is ` +
        pathName(path.slice(0, around.indexOf(value))),
    );
  }
  if (around.length === deepestTree) {
    throw new RangeError(
      `Cannot save tree: tree must be at most ${deepestTree} branches deep, current ${
        pathName(path)
      } is deeper`,
    );
  }
  // Detects symbols, non-enumerable keys, holes, and keys of an array other than its indices.
  const names = Reflect.ownKeys(value).length;
  const plain = Array.isArray(value)
    ? names === value.length + 1 && Object.keys(value).length === value.length
    : names === Object.keys(value).length;
  if (!plain) {
    throw new TypeError(
      `Cannot save tree: ${pathName(path)} must be ${
        Array.isArray(value) ? "an array without holes or names" : "an object without hidden names"
      }, current value is ${show(value)}`,
    );
  }
}

/** The path joined by dots, as usual; if that name is taken, a number is appended. */
function freeName(path: readonly string[], tensors: ReadonlyMap<string, Tensor>): string {
  // A lone surrogate is not valid UTF-8, and readers in other languages reject it.
  const name = path.join(".").toWellFormed() || "tensor";
  let free = name;
  for (let n = 2; tensors.has(free) || free === metadataName; n++) free = `${name}#${n}`;
  return free;
}

function pathName(path: readonly string[]): string {
  const name = ["tree", ...path].join(".");
  return name.length > 80 ? `${name.slice(0, 77)}...` : name;
}

/** Reads the form of a tree. Its parts are validated as the tree is built. A null tensor is not wanted. */
export function decodeTree(
  text: string,
  tensors: ReadonlyMap<string, StoredTensor | null>,
): (leaf: Leaf) => unknown {
  const content = parseJson(text, structureName);
  if (!isObject(content)) throw malformed(`${structureName} must be an object`, `value is ${brief(content)}`);
  const { version } = content;
  if (version !== onePlace && version !== anyPlaces) {
    throw malformed(
      `${structureName} must be of version ${onePlace} or ${anyPlaces}`,
      `version is ${brief(version)}`,
    );
  }
  return (leaf) => {
    const placed = new Map<unknown, unknown>();
    const tree = decodeBranch(content.tree, (place) => {
      const { $tensor: name } = place;
      const stored = typeof name === "string" ? tensors.get(name) : undefined;
      const mayTake = version === anyPlaces || !placed.has(name);
      if (stored === undefined || !mayTake || Object.keys(place).length !== 1) {
        throw malformed(
          `{ "$tensor": name } must name a tensor of the file${
            version === onePlace ? " that has no place yet" : ""
          }`,
          `value is ${brief(place)}`,
        );
      }
      if (!placed.has(name)) placed.set(name, stored === null ? absent : leaf(stored));
      return placed.get(name);
    });
    for (const name of tensors.keys()) {
      if (placed.has(name)) continue;
      throw malformed("every tensor must have a place in the tree", `tensor ${brief(name)} has none`);
    }
    return tree === absent ? undefined : tree;
  };
}

function decodeBranch(
  value: unknown,
  tensorAt: (place: Readonly<Record<string, unknown>>) => unknown,
): unknown {
  if (value === undefined) throw malformed(`${structureName} must have a tree`, "tree is missing");
  if (Array.isArray(value)) {
    return value.map((part) => {
      const decoded = decodeBranch(part, tensorAt);
      return decoded === absent ? undefined : decoded;
    });
  }
  if (!isObject(value)) return value;
  if ("$tensor" in value) return tensorAt(value);
  if ("$value" in value) return word(value);
  const parts = Object.entries(value).map(([key, part]) => {
    if (key.startsWith("$") && !key.startsWith("$$")) {
      throw malformed(
        "a key in the tree that begins with $ must be $tensor or $value",
        `key is ${brief(key)}`,
      );
    }
    return [key.startsWith("$") ? key.slice(1) : key, decodeBranch(part, tensorAt)];
  });
  return Object.fromEntries(parts.filter(([, part]) => part !== absent));
}

function word(value: Readonly<Record<string, unknown>>): unknown {
  if (!words.has(value.$value) || Object.keys(value).length !== 1) {
    throw malformed(
      `{ "$value": word } must have one of the words ${[...words.keys()].join(", ")}`,
      `value is ${brief(value)}`,
    );
  }
  return words.get(value.$value);
}
