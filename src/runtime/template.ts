/**
 * The form of a compiled function's arguments and results: a tree whose tensors are numbered.
 *
 * @module
 */
import { isBranch, isTensor } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import { isLists, type NumberLists } from "../number_lists.ts";

/**
 * A tree in which tensors and lists of numbers are replaced by their indices and other values are kept. Every call
 * walks the nodes, so all have the same fields: engines read those of objects with one hidden class faster.
 */
export interface Template {
  readonly kind: "tensor" | "lists" | "array" | "object" | "value";
  /** For a tensor or lists, the index, and whether this is the first occurrence of the tensor. */
  readonly index: number;
  readonly isFirst: boolean;
  /** For an object. */
  readonly keys: readonly string[];
  /** For an array its items, for an object its values in the order of its keys. */
  readonly items: readonly Template[];
  /** For lists, their number and their common length. */
  readonly count: number;
  readonly length: number;
  /** For any other value. */
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

/** The tensors and lists of a tree, by index. */
export interface Leaves {
  readonly tensors: Tensor[];
  readonly lists: NumberLists[];
}

/** Stands for an argument's lists in a result. */
class ListsMark {
  constructor(readonly index: number) {}
}

/** Replaces lists by marks, so that they are not walked. A tree without lists is returned as it is. */
export function markLists(tree: unknown, lists: readonly NumberLists[]): unknown {
  const index = lists.indexOf(tree as NumberLists);
  if (index >= 0) return new ListsMark(index);
  if (isTensor(tree) || !isBranch(tree)) return tree;
  const entries = Object.entries(tree).map(([key, item]) => [key, markLists(item, lists)] as const);
  if (entries.every(([key, item]) => item === tree[key])) return tree;
  return Array.isArray(tree) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

/** Whether a value is a typed array, which is compared by its numbers: they may be changed in place. */
/** A copy; the `slice` of a `Buffer`, a Uint8Array of Node's, would share its memory. */
function copyOfNumbers(numbers: Float32Array): Float32Array {
  const { buffer, byteOffset, byteLength } = numbers;
  const Numbers = numbers.constructor as new (
    bytes: ArrayBuffer,
    start: number,
    length: number,
  ) => Float32Array;
  return new (numbers instanceof Uint8Array ? Uint8Array as unknown as typeof Numbers : Numbers)(
    buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
    0,
    numbers.length,
  );
}

function isNumbers(value: unknown): value is Float32Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (!isNumbers(a)) return Object.is(a, b);
  return isNumbers(b) && a.constructor === b.constructor && a.length === b.length &&
    a.every((number, i) => Object.is(number, b[i]));
}

/** The form of an argument, either lists of numbers or a tree. Its leaves are appended to `leaves`. */
export function templateOfArgument(argument: unknown, leaves: Leaves): Template {
  if (!isLists(argument)) return templateOf(argument, leaves);
  const index = leaves.lists.push(argument) - 1;
  return { ...empty, kind: "lists", index, count: argument.length, length: argument[0].length };
}

/** Copies trees and lists, so that later changes by the caller have no effect. The tensors are the same. */
export function copyOfArguments(args: readonly unknown[]): unknown[] {
  return args.map((arg) =>
    isLists(arg) ? arg.map((list) => Array.from(list as ArrayLike<number>)) : copyOf(arg)
  );
}

function copyOf(tree: unknown): unknown {
  if (isNumbers(tree)) return copyOfNumbers(tree);
  if (isTensor(tree) || !isBranch(tree)) return tree;
  if (Array.isArray(tree)) return Array.from(tree, copyOf);
  return Object.fromEntries(Object.keys(tree).map((key) => [key, copyOf(tree[key])]));
}

/** The form of a tree. Its leaves are appended to `leaves`; a tensor in several places has one index. */
export function templateOf(tree: unknown, leaves: Leaves): Template {
  if (tree instanceof ListsMark) return { ...empty, kind: "lists", index: tree.index };
  if (isTensor(tree)) {
    const known = leaves.tensors.indexOf(tree);
    if (known >= 0) return { ...empty, kind: "tensor", index: known };
    return { ...empty, kind: "tensor", index: leaves.tensors.push(tree) - 1, isFirst: true };
  }
  if (Array.isArray(tree)) {
    // Includes holes.
    return { ...empty, kind: "array", items: Array.from(tree, (item) => templateOf(item, leaves)) };
  }
  if (!isBranch(tree)) return { ...empty, value: isNumbers(tree) ? copyOfNumbers(tree) : tree };
  const keys = Object.keys(tree);
  return { ...empty, kind: "object", keys, items: keys.map((key) => templateOf(tree[key], leaves)) };
}

/**
 * Whether a tree has a form. Writes its tensors and lists to `leaves`. The order of keys matters, since the order
 * of operations may depend on it.
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
  if (kind === "value") return isSameValue(template.value, tree);
  if (!isLists(tree) || tree.length !== template.count || tree[0].length !== template.length) return false;
  leaves.lists[template.index] = tree;
  return true;
}

/** Whether two forms are the same. */
export function isSameTemplate(a: Template, b: Template): boolean {
  return a.kind === b.kind && a.index === b.index && a.isFirst === b.isFirst && a.count === b.count &&
    a.length === b.length && isSameValue(a.value, b.value) && a.keys.length === b.keys.length &&
    a.keys.every((key, i) => key === b.keys[i]) && a.items.length === b.items.length &&
    a.items.every((item, i) => isSameTemplate(item, b.items[i]));
}

/**
 * The first part of `form` that has the form `wanted`, with each tensor in one place only: its path and the indices
 * of its tensors.
 */
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

/** Builds a tree of a form. */
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
