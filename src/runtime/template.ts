/**
 * The form of a compiled function's arguments and results: a tree with numbered places for tensors.
 *
 * @module
 */
import { isBranch, isTensor } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import { isLists, type NumberLists } from "../number_lists.ts";

/**
 * A tree with the number of a tensor, or of lists of numbers, in the places of those, and other values as they are. All nodes have the
 * same fields, since every call walks them, and engines read those of objects of one kind sooner.
 */
export interface Template {
  readonly kind: "tensor" | "lists" | "array" | "object" | "value";
  /** Of a tensor or lists: which it is; and whether this is the first place of a tensor. */
  readonly index: number;
  readonly isFirst: boolean;
  /** Of an object. */
  readonly keys: readonly string[];
  /** What is in an array, or an object in the order of its keys. */
  readonly items: readonly Template[];
  /** Of lists: how many there are, and of how many numbers each. */
  readonly count: number;
  readonly length: number;
  /** What is none of these. */
  readonly value: unknown;
}

const empty: Template = {
  kind: "value",
  index: -1,
  isFirst: false,
  keys: [],
  items: [],
  count: 0,
  length: 0,
  value: undefined,
};

/** What is in the numbered places. */
export interface Leaves {
  readonly tensors: Tensor[];
  readonly lists: NumberLists[];
}

/** In the place of an argument's lists in a result. */
class ListsMark {
  constructor(readonly index: number) {}
}

/** A tree with marks in the places of lists, which are not to be walked; the tree itself where it has none of them. */
export function markLists(tree: unknown, lists: readonly NumberLists[]): unknown {
  const index = lists.indexOf(tree as NumberLists);
  if (index >= 0) return new ListsMark(index);
  if (isTensor(tree) || !isBranch(tree)) return tree;
  const entries = Object.entries(tree).map(([key, item]) => [key, markLists(item, lists)] as const);
  if (entries.every(([key, item]) => item === tree[key])) return tree;
  return Array.isArray(tree) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

/** The form of an argument, whose leaves come behind those that there are: lists of numbers, or a tree. */
export function templateOfArgument(argument: unknown, leaves: Leaves): Template {
  if (!isLists(argument)) return templateOf(argument, leaves);
  const index = leaves.lists.push(argument) - 1;
  return { ...empty, kind: "lists", index, count: argument.length, length: argument[0].length };
}

/** Arguments as they are now: the same tensors, in trees and lists that nobody else changes. */
export function copyOfArguments(args: readonly unknown[]): unknown[] {
  return args.map((arg) => isLists(arg) ? arg.map((list) => (list as number[]).slice()) : copyOf(arg));
}

function copyOf(tree: unknown): unknown {
  if (isTensor(tree) || !isBranch(tree)) return tree;
  if (Array.isArray(tree)) return Array.from(tree, copyOf);
  return Object.fromEntries(Object.keys(tree).map((key) => [key, copyOf(tree[key])]));
}

/** The form of a tree, whose leaves come behind those that there are; a tensor in several places has one number. */
export function templateOf(tree: unknown, leaves: Leaves): Template {
  if (tree instanceof ListsMark) return { ...empty, kind: "lists", index: tree.index };
  if (isTensor(tree)) {
    const known = leaves.tensors.indexOf(tree);
    if (known >= 0) return { ...empty, kind: "tensor", index: known };
    return { ...empty, kind: "tensor", index: leaves.tensors.push(tree) - 1, isFirst: true };
  }
  if (Array.isArray(tree)) {
    // Holes too.
    return { ...empty, kind: "array", items: Array.from(tree, (item) => templateOf(item, leaves)) };
  }
  if (!isBranch(tree)) return { ...empty, value: tree };
  const keys = Object.keys(tree);
  return { ...empty, kind: "object", keys, items: keys.map((key) => templateOf(tree[key], leaves)) };
}

/**
 * Whether a tree has a form, but for what its tensors and lists are, which are put into their places of `leaves`. The order of
 * the keys counts, since that of operations may be the same.
 */
export function matches(template: Template, tree: unknown, leaves: Leaves): boolean {
  const { kind, items } = template;
  if (kind === "tensor") {
    if (!template.isFirst) return leaves.tensors[template.index] === tree;
    if (!isTensor(tree)) return false;
    leaves.tensors[template.index] = tree;
    return true;
  }
  if (kind === "object") {
    if (!isBranch(tree) || Array.isArray(tree)) return false;
    const { keys } = template;
    let i = 0;
    for (const key in tree) {
      if (i === keys.length || key !== keys[i] || !matches(items[i], tree[key], leaves)) return false;
      i++;
    }
    return i === keys.length;
  }
  if (kind === "array") {
    if (!Array.isArray(tree) || tree.length !== items.length) return false;
    for (let i = 0; i < items.length; i++) if (!matches(items[i], tree[i], leaves)) return false;
    return true;
  }
  if (kind === "value") return Object.is(template.value, tree);
  if (!isLists(tree) || tree.length !== template.count || tree[0].length !== template.length) return false;
  leaves.lists[template.index] = tree;
  return true;
}

/** Whether two forms are the same. */
export function isSameTemplate(a: Template, b: Template): boolean {
  return a.kind === b.kind && a.index === b.index && a.isFirst === b.isFirst && a.count === b.count &&
    a.length === b.length && Object.is(a.value, b.value) && a.keys.length === b.keys.length &&
    a.keys.every((key, i) => key === b.keys[i]) && a.items.length === b.items.length &&
    a.items.every((item, i) => isSameTemplate(item, b.items[i]));
}

/** The first part of a form that has the form of another, all of each tensor of which has one place: how to get to it, and its tensors. */
export function findForm(
  form: Template,
  wanted: Template,
  path: readonly (string | number)[] = [],
): { readonly path: readonly (string | number)[]; readonly indices: readonly number[] } | null {
  const indices: number[] = [];
  if (isAlike(form, wanted, indices) && indices.length > 0) return { path, indices };
  for (const [i, item] of form.items.entries()) {
    const found = findForm(item, wanted, [...path, form.kind === "object" ? form.keys[i] : i]);
    if (found !== null) return found;
  }
  return null;
}

function isAlike(form: Template, wanted: Template, indices: number[]): boolean {
  if (form.kind !== wanted.kind || form.items.length !== wanted.items.length) return false;
  if (form.kind === "tensor") {
    indices.push(form.index);
    return wanted.isFirst && form.isFirst;
  }
  return Object.is(form.value, wanted.value) && form.keys.every((key, i) => key === wanted.keys[i]) &&
    form.items.every((item, i) => isAlike(item, wanted.items[i], indices));
}

/** A tree of a form. */
export function build(
  template: Template,
  tensors: readonly Tensor[],
  lists: readonly NumberLists[],
): unknown {
  const { kind, items } = template;
  if (kind === "tensor") return tensors[template.index];
  if (kind === "object") {
    const { keys } = template, tree: Record<string, unknown> = {};
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
  if (kind === "array") {
    const tree: unknown[] = [];
    for (let i = 0; i < items.length; i++) tree.push(build(items[i], tensors, lists));
    return tree;
  }
  return kind === "lists" ? lists[template.index] : template.value;
}
