/**
 * Trees out of names: what files made elsewhere have instead of a form. `blocks.0.att.key.weight` is the path of a
 * tensor, and a branch whose keys are 0 to n - 1 is an array, as PyTorch names its modules.
 *
 * @module
 */
import { isBranch, isTensor } from "../check.ts";
import { deepestTree } from "./json.ts";
import { brief, malformed } from "./malformed.ts";

/** A name of which `start` characters are the path to a branch; more than there are where the branch is its place. */
interface Rest<T> {
  readonly name: string;
  readonly start: number;
  readonly value: T;
}

/** A tree with `leaf` of each value at the path that its name is. */
export function nest<T>(named: ReadonlyMap<string, T>, leaf: (value: T) => unknown): unknown {
  return gather(Array.from(named, ([name, value]) => ({ name, start: 0, value })), 1, leaf);
}

/** One branch at a time, so that what a long name costs is the tree that it asks for and no more. */
function gather<T>(rests: readonly Rest<T>[], depth: number, leaf: (value: T) => unknown): unknown {
  if (depth > deepestTree) {
    throw malformed(`a name must have at most ${deepestTree} parts`, `name is ${brief(rests[0].name)}`);
  }
  // A Map, in which no key (`__proto__`) means anything but itself.
  const groups = new Map<string, Rest<T>[]>();
  for (const { name, start, value } of rests) {
    const dot = name.indexOf(".", start);
    const end = dot < 0 ? name.length : dot;
    const key = name.slice(start, end);
    const rest = { name, start: end + 1, value };
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [rest]);
    else group.push(rest);
  }
  const build = (group: readonly Rest<T>[]) => {
    const ended = group.find(({ name, start }) => start > name.length);
    if (ended === undefined) return gather(group, depth + 1, leaf);
    if (group.length === 1) return leaf(ended.value);
    throw malformed("a name must be a tensor's or begin other names", `name ${brief(ended.name)} is both`);
  };
  const indices = Array.from(groups.keys(), (_, i) => String(i));
  return groups.size > 0 && indices.every((index) => groups.has(index))
    ? indices.map((index) => build(groups.get(index)!))
    : Object.fromEntries(Array.from(groups, ([key, group]) => [key, build(group)]));
}

/** What a tree holds, branches aside, by the dotted paths of its places: what {@linkcode nest} undoes. */
export function flatten(tree: unknown): ReadonlyMap<string, unknown> {
  const named = new Map<string, unknown>();
  const visit = (value: unknown, path: string) => {
    if (isTensor(value) || !isBranch(value)) named.set(path, value);
    else for (const [key, part] of Object.entries(value)) visit(part, path === "" ? key : `${path}.${key}`);
  };
  visit(tree, "");
  return named;
}
