/**
 * Builds trees from the names of tensors, for files without the form of a tree. `blocks.0.att.key.weight` is the path
 * of a tensor, and a branch whose keys are 0 to n - 1 is an array, as PyTorch names its modules.
 *
 * @module
 */
import { isBranch, isTensor } from "../check.ts";
import { deepestTree } from "./json.ts";
import { brief, malformed } from "./malformed.ts";

/**
 * A name whose first `start` characters are the path to the current branch; if it has fewer, it is the name of that
 * branch.
 */
interface Rest<T> {
  readonly name: string;
  readonly start: number;
  readonly value: T;
}

/** Builds a tree with `leaf` of each value at the path given by its name. */
export function nest<T>(named: ReadonlyMap<string, T>, leaf: (value: T) => unknown): unknown {
  return gather(Array.from(named, ([name, value]) => ({ name, start: 0, value })), 1, leaf);
}

/** Builds one branch at a time, so that a long name costs no more than its own part of the tree. */
function gather<T>(rests: readonly Rest<T>[], depth: number, leaf: (value: T) => unknown): unknown {
  if (depth > deepestTree) {
    throw malformed(`a name must have at most ${deepestTree} parts`, `name is ${brief(rests[0].name)}`);
  }
  // A Map, since keys such as `__proto__` have a meaning in objects.
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

/** The values in a tree by their dotted paths: the inverse of {@linkcode nest}. */
export function flatten(tree: unknown): ReadonlyMap<string, unknown> {
  const named = new Map<string, unknown>();
  const visit = (value: unknown, path: string) => {
    if (isTensor(value) || !isBranch(value)) named.set(path, value);
    else for (const [key, part] of Object.entries(value)) visit(part, path === "" ? key : `${path}.${key}`);
  };
  visit(tree, "");
  return named;
}
