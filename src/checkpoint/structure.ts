/**
 * A tree's form as text, kept in a file's metadata beside the tensors: what is an array, what order the keys have, and
 * all that is no tensor.
 *
 * It is the tree itself as JSON, a tensor as `{ "$tensor": name }` and what JSON has no word for as `{ "$value": word }`.
 * From version 2 on, which is written only where it is needed, places that hold one tensor give one name. A key of the tree's own that begins with `$` gets one `$` more, so that nothing in a tree can be taken for either.
 *
 * @module
 */
import { isBranch, isTensor, show } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import { deepestTree, isObject, parseJson } from "./json.ts";
import { brief, malformed } from "./malformed.ts";
import { metadataName, type StoredTensor } from "./safetensors.ts";

/** The name in a file's metadata under which the form stands. */
export const structureName = "seqmix.tree";

/** Of files in which every tensor has one place, and of all others. */
const onePlace = 1, anyPlaces = 2;

/** What JSON would lose or turn into something else. */
const words: ReadonlyMap<unknown, unknown> = new Map<unknown, unknown>([
  ["undefined", undefined],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/** What is in the place of a tensor that is not wanted. */
const absent = Symbol();

/** What stands in a tree for a tensor of the file. */
export type Leaf = (stored: StoredTensor) => unknown;

/**
 * The form of a tree, and its tensors by the names that they have in it.
 *
 * @throws {TypeError} if the tree holds something that would not come back as it was
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
  // Names that are symbols or not enumerable, holes, and names of an array other than its indices.
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

/** The path with dots, as others name tensors; where that name is taken, it gets a number. */
function freeName(path: readonly string[], tensors: ReadonlyMap<string, Tensor>): string {
  // Half a surrogate pair is no UTF-8, and readers in other languages refuse it.
  const name = path.join(".").toWellFormed() || "tensor";
  let free = name;
  for (let n = 2; tensors.has(free) || free === metadataName; n++) free = `${name}#${n}`;
  return free;
}

function pathName(path: readonly string[]): string {
  const name = ["tree", ...path].join(".");
  return name.length > 80 ? `${name.slice(0, 77)}...` : name;
}

/** Reads the form of a tree; the parts are checked as the tree is built. Null is a tensor that is not wanted. */
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
