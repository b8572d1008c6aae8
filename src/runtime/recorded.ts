/**
 * The recording of a run of a function, with the forms of its arguments and results.
 *
 * @module
 */
import type { DeviceTensor } from "../backends/tensor_store.ts";
import { isSameShape } from "../check.ts";
import type { Call, Growth, KernelArgument, Recording, Slot } from "./recording.ts";
import { isSameTemplate, type Template } from "./template.ts";

/** A tensor among the arguments. */
export interface Leaf {
  readonly slot: Slot;
  readonly shape: readonly number[];
  /** The capacity of its block in steps, if it is a key-value cache. */
  readonly capacity: number | null;
  readonly growth: Growth | undefined;
}

/** The origin of a tensor among the results. */
export type Result<M> =
  /** Memory of its own; for a key-value cache, with its capacity in steps. */
  | {
    readonly kind: "made";
    readonly slot: Slot;
    readonly shape: readonly number[];
    /** The number of elements of the shape. */
    readonly size: number;
    readonly capacity: number | null;
  }
  /** The memory of an argument or of an earlier result, extended by `steps`. */
  | { readonly kind: "grown"; readonly of: "leaf" | "result"; readonly index: number; readonly steps: number }
  | { readonly kind: "leaf"; readonly index: number }
  | { readonly kind: "closure"; readonly tensor: DeviceTensor<M> };

/** The tensor that holds the numbers of lists, and its slot. */
export interface ListSlot<M> {
  readonly tensor: DeviceTensor<M>;
  readonly slot: Slot;
}

/** A recorded run. */
export interface Recorded<M> {
  readonly recording: Recording<M>;
  readonly calls: readonly Call[];
  /** For each argument of the function. */
  readonly templates: readonly Template[];
  readonly leaves: readonly Leaf[];
  /** For each argument the index of its first leaf, and at the end the number of leaves. */
  readonly starts: readonly number[];
  readonly lists: readonly ListSlot<M>[];
  readonly template: Template;
  readonly results: readonly Result<M>[];
  /**
   * The caches among the leaves, if all have one length and one capacity and the function itself read neither.
   * Otherwise empty: a cache's length is then a size like any other.
   */
  readonly caches: readonly number[];
}

/** The caches of leaves, for {@linkcode Recorded.caches}. */
export function cachesOf(leaves: readonly Leaf[]): number[] {
  const caches = leaves.flatMap(({ capacity }, i) => capacity === null ? [] : [i]);
  const [first] = caches;
  const areAlike = caches.every((i) =>
    leaves[i].shape[1] === leaves[first].shape[1] && leaves[i].capacity === leaves[first].capacity
  );
  return areAlike ? caches : [];
}

/** Whether two runs differ only in the length and capacity of their caches and in numbers of their calls. */
export function areAlike<M>(a: Recorded<M>, b: Recorded<M>): boolean {
  return a.caches.join() === b.caches.join() &&
    areSame(
      a.calls,
      b.calls,
      (x, y) =>
        x.kernel === y.kernel &&
        areSame(x.args, y.args, (one, other) =>
          typeof one === "number" ? typeof other === "number" : indexOf(one) === indexOf(other)),
    ) &&
    areSame(
      a.recording.slots,
      b.recording.slots,
      (x, y) => x.kind === y.kind && (x.kind === "argument" || x.size === y.size),
    ) &&
    areSame(a.leaves, b.leaves, isSameLeaf) &&
    areSame(a.templates, b.templates, isSameTemplate) && isSameTemplate(a.template, b.template) &&
    areSame(a.results, b.results, isSameResult) &&
    areSame(
      [...a.recording.uploads],
      [...b.recording.uploads],
      ([x, numbers], [y, others]) =>
        x.index === y.index && areSame(Array.from(numbers), Array.from(others), Object.is),
    ) &&
    areSame(
      [...a.recording.closures],
      [...b.recording.closures],
      ([x, t], [y, other]) => x.index === y.index && t === other,
    );
}

function areSame<T>(a: readonly T[], b: readonly T[], isSame: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((x, i) => isSame(x, b[i]));
}

/** The index of a slot; -1 for any other argument. */
function indexOf(arg: KernelArgument): number {
  return typeof arg === "object" && arg !== null ? arg.index : -1;
}

function isSameLeaf(a: Leaf, b: Leaf): boolean {
  if (a.growth?.steps !== b.growth?.steps || a.growth?.tooMany !== b.growth?.tooMany) return false;
  if (a.capacity === null || b.capacity === null) {
    return a.capacity === b.capacity && isSameShape(a.shape, b.shape);
  }
  return a.shape[0] === b.shape[0] && a.shape[2] === b.shape[2];
}

function isSameResult<M>(a: Result<M>, b: Result<M>): boolean {
  switch (a.kind) {
    case "made":
      return b.kind === "made" && a.slot.index === b.slot.index && a.capacity === b.capacity &&
        isSameShape(a.shape, b.shape);
    case "grown":
      return b.kind === "grown" && a.of === b.of && a.index === b.index && a.steps === b.steps;
    case "leaf":
      return b.kind === "leaf" && a.index === b.index;
    case "closure":
      return b.kind === "closure" && a.tensor === b.tensor;
  }
}

/** The numbers in a run's calls, in order. */
export function numbersOf(calls: readonly Call[]): number[] {
  return calls.flatMap(({ args }) => args.filter((arg) => typeof arg === "number"));
}
