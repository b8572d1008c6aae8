/**
 * Trees out of names: what files made elsewhere have instead of a form. `blocks.0.att.key.weight` is the path of a
 * tensor, and a branch whose keys are 0 to n - 1 is an array, as PyTorch names its modules.
 *
 * @module
 */
import { isBranch } from "../check.ts";
import { deepestTree } from "./json.ts";
import { brief, malformed } from "./malformed.ts";

/** A branch while it grows: a Map, in which no key (`__proto__`) means anything but itself. */
type Growing<T> = Map<string, Growing<T> | Leaf<T>>;

/** What a name stands for, told from a branch by its class. */
class Leaf<T> {
  constructor(readonly value: T) {}
}

/** Places each value at the path that its name is. */
export function nest<T>(named: ReadonlyMap<string, T>): (leaf: (value: T) => unknown) => unknown {
  const root: Growing<T> = new Map();
  for (const [name, value] of named) grow(root, name, value);
  return (leaf) => settle(root, leaf);
}

function grow<T>(root: Growing<T>, name: string, value: T): void {
  const path = name.split(".", deepestTree + 1);
  if (path.length > deepestTree) {
    throw malformed(`a name must have at most ${deepestTree} parts`, `name is ${brief(name)}`);
  }
  const last = path.pop() as string;
  let branch = root;
  for (const key of path) {
    const next = branch.get(key) ?? new Map();
    if (next instanceof Leaf) throw both(name);
    branch.set(key, next);
    branch = next;
  }
  if (branch.has(last)) throw both(name);
  branch.set(last, new Leaf(value));
}

function both(name: string): TypeError {
  return malformed(
    "a name must be a tensor's or begin other names",
    `name ${brief(name)} meets one that is both`,
  );
}

function settle<T>(branch: Growing<T>, leaf: (value: T) => unknown): unknown {
  const build = (part: Growing<T> | Leaf<T>) => part instanceof Leaf ? leaf(part.value) : settle(part, leaf);
  const indices = Array.from(branch.keys(), (_, i) => String(i));
  return branch.size > 0 && indices.every((index) => branch.has(index))
    ? indices.map((index) => build(branch.get(index)!))
    : Object.fromEntries(Array.from(branch, ([key, part]) => [key, build(part)]));
}

/** What a tree holds, branches aside, by the dotted paths of its places: what {@linkcode nest} undoes. */
export function flatten(tree: unknown): ReadonlyMap<string, unknown> {
  const named = new Map<string, unknown>();
  const visit = (value: unknown, path: string) => {
    if (!isBranch(value)) named.set(path, value);
    else for (const [key, part] of Object.entries(value)) visit(part, path === "" ? key : `${path}.${key}`);
  };
  visit(tree, "");
  return named;
}
