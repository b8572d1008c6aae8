/**
 * A run of a function as it was recorded, with the forms of its arguments and results.
 *
 * @module
 */
import type { DeviceTensor } from "../backends/tensor_store.ts";
import { isSameShape } from "../check.ts";
import type { Call, Growth, KernelArgument, Recording, Slot } from "./recording.ts";
import { isSameTemplate, type Template } from "./template.ts";

/** What a tensor among the arguments is. */
export interface Leaf {
  readonly slot: Slot;
  readonly shape: readonly number[];
  /** The steps that its block has room for, where it is a key-value cache. */
  readonly room: number | null;
  readonly growth: Growth | undefined;
}

/** Where a tensor among the results comes from. */
export type Result<M> =
  /** Its own memory; of a key-value cache, with room for `room` steps. */
  | {
    readonly kind: "made";
    readonly slot: Slot;
    readonly shape: readonly number[];
    /** Of the shape. */
    readonly size: number;
    readonly room: number | null;
  }
  /** The memory of an argument, or of a result before it, which it has `steps` more of. */
  | { readonly kind: "grown"; readonly of: "leaf" | "result"; readonly index: number; readonly steps: number }
  | { readonly kind: "leaf"; readonly index: number }
  | { readonly kind: "closure"; readonly tensor: DeviceTensor<M> };

/** The tensor that holds the numbers of lists, and its slot. */
export interface ListSlot<M> {
  readonly tensor: DeviceTensor<M>;
  readonly slot: Slot;
}

/** A run. */
export interface Recorded<M> {
  readonly recording: Recording<M>;
  readonly calls: readonly Call[];
  /** Of each argument of the function. */
  readonly templates: readonly Template[];
  readonly leaves: readonly Leaf[];
  /** Of each argument where its leaves start, and where the last ones end. */
  readonly starts: readonly number[];
  readonly lists: readonly ListSlot<M>[];
  readonly template: Template;
  readonly results: readonly Result<M>[];
  /**
   * The caches among the leaves, where all are of one length and have one room, and the function itself looked at neither; else none:
   * a cache's length is then a size like others.
   */
  readonly caches: readonly number[];
}

/** The caches of leaves, for {@linkcode Recorded}. */
export function cachesOf(leaves: readonly Leaf[]): number[] {
  const caches = leaves.flatMap(({ room }, i) => room === null ? [] : [i]);
  const [first] = caches;
  const areAlike = caches.every((i) =>
    leaves[i].shape[1] === leaves[first].shape[1] && leaves[i].room === leaves[first].room
  );
  return areAlike ? caches : [];
}

/** Whether two runs differ in nothing but the length of their caches, the room of those, and numbers in their calls. */
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

/** The number of a slot; -1 of what is none. */
function indexOf(arg: KernelArgument): number {
  return typeof arg === "object" && arg !== null ? arg.index : -1;
}

function isSameLeaf(a: Leaf, b: Leaf): boolean {
  if (a.growth?.steps !== b.growth?.steps || a.growth?.tooMany !== b.growth?.tooMany) return false;
  if (a.room === null || b.room === null) return a.room === b.room && isSameShape(a.shape, b.shape);
  return a.shape[0] === b.shape[0] && a.shape[2] === b.shape[2];
}

function isSameResult<M>(a: Result<M>, b: Result<M>): boolean {
  switch (a.kind) {
    case "made":
      return b.kind === "made" && a.slot.index === b.slot.index && a.room === b.room &&
        isSameShape(a.shape, b.shape);
    case "grown":
      return b.kind === "grown" && a.of === b.of && a.index === b.index && a.steps === b.steps;
    case "leaf":
      return b.kind === "leaf" && a.index === b.index;
    case "closure":
      return b.kind === "closure" && a.tensor === b.tensor;
  }
}

/** The numbers of a run's calls, in order. */
export function numbersOf(calls: readonly Call[]): number[] {
  return calls.flatMap(({ args }) => args.filter((arg) => typeof arg === "number"));
}
