/**
 * A run of a function as it was recorded, with the forms of its arguments and results.
 *
 * @module
 */
import type { DeviceTensor } from "../backends/tensor_store.ts";
import type { Call, Growth, Recording, Slot } from "./recording.ts";
import type { Template } from "./template.ts";

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

/** What is the same in two runs that differ in nothing but the length of their caches and the room of those. */
export function structureOf<M>(
  { recording, calls, templates, leaves, template, results, caches }: Recorded<M>,
): string {
  const isCache = new Set(caches);
  const shapes = leaves.map((
    { shape, growth },
    i,
  ) => [isCache.has(i) ? [shape[0], shape[2]] : shape, growth]);
  const slots = recording.slots.map(({ kind, size }) => kind === "argument" ? kind : [kind, size]);
  const uploads = [...recording.uploads].map((
    [{ index }, numbers],
  ) => [index, ...Array.from(numbers, String)]);
  const closures = [...recording.closures].map(([{ index }, tensor]) => [index, tensor]);
  const shownCalls = calls.map((
    { kernel, args },
  ) => [kernel, ...args.map((arg) => typeof arg === "number" ? "" : arg && arg.index)]);
  const shownResults = results.map((result) =>
    "slot" in result ? { ...result, slot: result.slot.index } : result
  );
  return JSON.stringify(
    [caches, shapes, slots, uploads, closures, shownCalls, templates, template, shownResults],
    (_, value) => {
      if (typeof value === "number") return String(value);
      if (typeof value === "bigint") return `${value}n`;
      const isOpaque = typeof value === "function" || typeof value === "symbol" ||
        typeof value === "object" && value !== null && !Array.isArray(value) &&
          Object.getPrototypeOf(value) !== Object.prototype;
      return isOpaque ? `#${numberOf(value)}` : value === undefined ? "undefined" : value;
    },
  );
}

/** The numbers of a run's calls, in order. */
export function numbersOf(calls: readonly Call[]): number[] {
  return calls.flatMap(({ args }) => args.filter((arg) => typeof arg === "number"));
}

const numbers = new WeakMap<WeakKey, number>(), registered = new Map<symbol, number>();
let count = 0;

/** A number for what is the same only as itself. */
function numberOf(value: WeakKey): number {
  // A registered symbol can't be held weakly.
  const known = typeof value === "symbol" && Symbol.keyFor(value) !== undefined ? registered : numbers;
  let number = (known as Map<unknown, number>).get(value);
  if (number === undefined) (known as Map<unknown, number>).set(value, number = ++count);
  return number;
}
