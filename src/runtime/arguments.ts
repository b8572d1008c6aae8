/**
 * The arguments of a program: whether a call's arguments have the recorded form, and the tensors in them.
 *
 * @module
 */
import type { DeviceBackend } from "../backends/device_backend.ts";
import { DeviceTensor } from "../backends/tensor_store.ts";
import { isSameShape } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import type { NumberLists } from "../number_lists.ts";
import type { Leaf, Recorded } from "./recorded.ts";
import { findForm, type Leaves, matches, type Template } from "./template.ts";

/** A part of the results that has the form of an argument, such as a state that is passed to the next call. */
interface Returned {
  readonly path: readonly (string | number)[];
  /** The indices of its tensors among the results. */
  readonly indices: readonly number[];
  /** Its value after the last run. */
  tree: unknown;
  tensors: readonly Tensor[];
}

/** Differs from every argument. */
const none = Symbol();

let count = 0;

/** Checks a call's arguments against the recorded form, and remembers the last ones that had it. */
export class Arguments<M> {
  /** Whether the last arguments had the form, except that a cache has no capacity to grow in place. */
  lacksCapacity = false;
  /** A unique number, for the marks on tensors; 0 marks none. */
  readonly #id = ++count;
  readonly #backend: DeviceBackend<M>;
  readonly #recorded: Recorded<M>;
  readonly #leaves: Leaves = { tensors: [], lists: [] };
  /** Whether caches of any length are accepted. */
  readonly #anyLength: boolean;
  /**
   * For each argument, the value that was accepted last; and, if it was accepted twice, whether all its tensors are
   * still alive.
   */
  readonly #accepted: unknown[];
  readonly #live: ((() => boolean) | undefined)[];
  readonly #returned: readonly (Returned | null)[];
  /** For each argument, whether it is the same object as at the last call, with all its tensors alive. */
  readonly #isKnown: boolean[];
  /** For each argument, whether it contains caches, whose free capacity differs at every call. */
  readonly #hasCaches: readonly boolean[];
  /** For each argument, whether its tensors differ from those that the program is bound to. */
  readonly #isNew: boolean[];
  #calls = 0;

  constructor(backend: DeviceBackend<M>, recorded: Recorded<M>) {
    this.#backend = backend;
    this.#recorded = recorded;
    this.#anyLength = recorded.caches.length > 0;
    const { templates, template } = recorded;
    this.#accepted = templates.map(() => none);
    this.#live = templates.map(() => undefined);
    this.#isKnown = templates.map(() => false);
    const { leaves, starts } = recorded;
    this.#hasCaches = templates.map((_, i) =>
      leaves.slice(starts[i], starts[i + 1]).some(({ capacity }) => capacity !== null)
    );
    this.#isNew = templates.map(() => true);
    this.#returned = templates.map((wanted) => {
      const found = wanted.kind === "tensor" ? null : findForm(template, wanted);
      return found === null ? null : { ...found, tree: none, tensors: [] };
    });
  }

  /** The tensors of the accepted arguments, in the order of the leaves. */
  get tensors(): readonly DeviceTensor<M>[] {
    return this.#leaves.tensors as DeviceTensor<M>[];
  }

  /** The lists of the accepted arguments. */
  get lists(): readonly NumberLists[] {
    return this.#leaves.lists;
  }

  /** Returns whether arguments have the form. */
  accept(args: readonly unknown[]): boolean {
    const { templates } = this.#recorded;
    this.lacksCapacity = false;
    this.#calls++;
    if (args.length !== templates.length) return false;
    let fits = false;
    try {
      fits = this.#match(args, templates) && this.#acceptAll(args);
    } finally {
      // A getter may throw.
      if (!fits) this.#accepted.fill(none);
    }
    return fits;
  }

  #match(args: readonly unknown[], templates: readonly Template[]): boolean {
    for (let i = 0; i < args.length; i++) {
      this.#isKnown[i] = args[i] === this.#accepted[i] && this.#live[i] !== undefined && this.#live[i]!();
      if (this.#isKnown[i] || this.#takeReturned(i, args[i])) continue;
      if (!matches(templates[i], args[i], this.#leaves)) return false;
    }
    return true;
  }

  #acceptAll(args: readonly unknown[]): boolean {
    for (let i = 0; i < args.length; i++) {
      if (this.#isKnown[i] && !this.#hasCaches[i]) continue;
      if (!this.#acceptOne(i, args[i])) return false;
    }
    return true;
  }

  /** Whether a tensor occurs in an argument that was not walked at this call. */
  #isInKnown(t: Tensor): boolean {
    const { starts } = this.#recorded;
    return this.#isKnown.some((isKnown, i) => {
      const at = isKnown ? this.#leaves.tensors.indexOf(t, starts[i]) : -1;
      return at >= 0 && at < starts[i + 1];
    });
  }

  /** Calls `bind` with every tensor that changed since the last call, and its index. */
  bindNew(bind: (at: number, t: DeviceTensor<M>) => void): void {
    const { starts } = this.#recorded;
    for (let i = 0; i < this.#isNew.length; i++) {
      if (!this.#isNew[i]) continue;
      for (let at = starts[i]; at < starts[i + 1]; at++) bind(at, this.tensors[at]);
      this.#isNew[i] = false;
    }
  }

  /** Remembers the results of a run. */
  note(result: unknown, tensors: readonly Tensor[]): void {
    for (const returned of this.#returned) {
      if (returned === null) continue;
      let part = result;
      for (const key of returned.path) part = (part as Readonly<Record<typeof key, unknown>>)[key];
      returned.tree = part;
      returned.tensors = tensors;
    }
  }

  /** Takes the tensors of an argument that is a part of the last results. */
  #takeReturned(i: number, arg: unknown): boolean {
    const returned = this.#returned[i];
    if (returned === null || arg !== returned.tree) return false;
    const { indices, tensors } = returned, start = this.#recorded.starts[i];
    for (let k = 0; k < indices.length; k++) this.#leaves.tensors[start + k] = tensors[indices[k]];
    return true;
  }

  #acceptOne(i: number, arg: unknown): boolean {
    const { templates, leaves, starts } = this.#recorded;
    const start = starts[i], end = starts[i + 1];
    for (let at = start; at < end; at++) if (!this.#fits(at, leaves[at])) return false;
    if (this.#isKnown[i]) return true;
    // Parameters are the same tree at every call: watching it saves walking it. A tree that is passed once is not
    // worth watching.
    const isWatched = arg === this.#accepted[i] && end > start && templates[i].kind !== "tensor";
    this.#live[i] = isWatched ? this.#backend.store.watch(this.tensors.slice(start, end)) : undefined;
    this.#accepted[i] = arg;
    this.#isNew[i] = true;
    return true;
  }

  #fits(at: number, { shape, capacity, growth }: Leaf): boolean {
    const t: Tensor = this.#leaves.tensors[at];
    if (!(t instanceof DeviceTensor) || t.backend !== this.#backend || t.freed) return false;
    // The same tensor in two places is another form. Marks find it without comparing all pairs.
    if (t.leafOf === this.#id) {
      if (t.leaf !== at && this.#leaves.tensors[t.leaf] === t) return false;
    } else if (t.leafOf !== 0 && this.#isInKnown(t)) return false; // Another program has marked it since.
    t.leafOf = this.#id;
    t.leaf = at;
    if (capacity === null) return t.cache === null && isSameShape(t.shape, shape);
    if (t.cache === null || t.shape[0] !== shape[0] || t.shape[2] !== shape[2]) return false;
    if (!this.#anyLength && (t.shape[1] !== shape[1] || t.cache.capacity !== capacity)) return false;
    if (growth === undefined) return true;
    // Two caches that share a block can't both grow in it.
    if (t.cache.grownBy === this.#id && t.cache.grownAt === this.#calls) return false;
    t.cache.grownBy = this.#id;
    t.cache.grownAt = this.#calls;
    const { store } = this.#backend;
    this.lacksCapacity ||= !store.hasCapacity(t, growth.steps);
    return !this.lacksCapacity && (growth.tooMany === 0 || !store.hasCapacity(t, growth.tooMany));
  }
}
