/**
 * The form of a compiled function's arguments and results: a tree with numbered places for tensors.
 *
 * @module
 */
import { isBranch, isTensor } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import { isLists, type NumberLists } from "./lists.ts";

/** A tree with the number of a tensor or of lists in the places of those, and other values as they are. */
export type Template =
  | { readonly kind: "tensor"; readonly index: number; readonly isFirst: boolean }
  | { readonly kind: "lists"; readonly index: number; readonly count: number; readonly length: number }
  | { readonly kind: "array"; readonly items: readonly Template[] }
  | { readonly kind: "object"; readonly keys: readonly string[]; readonly items: readonly Template[] }
  | { readonly kind: "value"; readonly value: unknown };

/** What is in the numbered places. */
export interface Leaves {
  readonly tensors: Tensor[];
  readonly lists: NumberLists[];
}

/** The form of an argument, whose leaves come behind those that there are: lists of numbers, or a tree. */
export function templateOfArgument(argument: unknown, leaves: Leaves): Template {
  if (!isLists(argument)) return templateOf(argument, leaves);
  const index = leaves.lists.push(argument) - 1;
  return { kind: "lists", index, count: argument.length, length: argument[0].length };
}

/** The form of a tree, whose leaves come behind those that there are; a tensor in several places has one number. */
export function templateOf(tree: unknown, leaves: Leaves): Template {
  if (isTensor(tree)) {
    const known = leaves.tensors.indexOf(tree);
    if (known >= 0) return { kind: "tensor", index: known, isFirst: false };
    return { kind: "tensor", index: leaves.tensors.push(tree) - 1, isFirst: true };
  }
  if (Array.isArray(tree)) {
    return {
      kind: "array",
      items: tree.map((item) => templateOf(item, leaves)),
    };
  }
  if (!isBranch(tree)) return { kind: "value", value: tree };
  const keys = Object.keys(tree);
  return { kind: "object", keys, items: keys.map((key) => templateOf(tree[key], leaves)) };
}

/**
 * Whether a tree has a form, but for what its tensors and lists are, which are put into their places of `leaves`. The order of
 * the keys counts, since that of operations may be the same.
 */
export function matches(template: Template, tree: unknown, leaves: Leaves): boolean {
  switch (template.kind) {
    case "tensor":
      if (!template.isFirst) return leaves.tensors[template.index] === tree;
      if (!isTensor(tree)) return false;
      leaves.tensors[template.index] = tree;
      return true;
    case "lists":
      if (!isLists(tree) || tree.length !== template.count || tree[0].length !== template.length) {
        return false;
      }
      leaves.lists[template.index] = tree;
      return true;
    case "array": {
      const { items } = template;
      if (!Array.isArray(tree) || tree.length !== items.length) return false;
      for (let i = 0; i < items.length; i++) if (!matches(items[i], tree[i], leaves)) return false;
      return true;
    }
    case "object": {
      if (!isBranch(tree) || Array.isArray(tree)) return false;
      const { keys, items } = template;
      let i = 0;
      for (const key in tree) {
        if (i === keys.length || key !== keys[i] || !matches(items[i], tree[key], leaves)) return false;
        i++;
      }
      return i === keys.length;
    }
    case "value":
      return Object.is(template.value, tree);
  }
}

/** A tree of a form. */
export function build(
  template: Template,
  tensors: readonly Tensor[],
  lists: readonly Tensor[] = [],
): unknown {
  switch (template.kind) {
    case "tensor":
      return tensors[template.index];
    case "lists":
      return lists[template.index];
    case "array": {
      const { items } = template;
      return items.map((item) => build(item, tensors, lists));
    }
    case "object": {
      const { keys, items } = template, tree: Record<string, unknown> = {};
      for (let i = 0; i < keys.length; i++) {
        const value = build(items[i], tensors, lists);
        if (keys[i] !== "__proto__") tree[keys[i]] = value;
        else {Object.defineProperty(tree, keys[i], {
            value,
            enumerable: true,
            configurable: true,
            writable: true,
          });}
      }
      return tree;
    }
    case "value":
      return template.value;
  }
}
