/**
 * The arguments of a program: whether those of a call have its form, and which tensors are in them.
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

/** A part of the results that has the form of an argument: a state, which comes back at the next call. */
interface Returned {
  readonly path: readonly (string | number)[];
  /** The numbers of its tensors among the results. */
  readonly indices: readonly number[];
  /** What it was the last time. */
  tree: unknown;
  tensors: readonly Tensor[];
}

/** No argument of any call. */
const none = Symbol();

let count = 0;

/** What a call's arguments must be, and what the last ones were that were it. */
export class Arguments<M> {
  /** Whether the last arguments were of the form, but for a cache that has no room to grow in place. */
  lacksRoom = false;
  /** A number of its own, for the marks on tensors; 0 is nobody's. */
  readonly #id = ++count;
  readonly #backend: DeviceBackend<M>;
  readonly #recorded: Recorded<M>;
  readonly #leaves: Leaves = { tensors: [], lists: [] };
  /** Whether the length of caches does not matter. */
  readonly #anyLength: boolean;
  /** Of each argument, what was accepted last; and where that came twice, whether all its tensors still live. */
  readonly #accepted: unknown[];
  readonly #live: ((() => boolean) | undefined)[];
  readonly #returned: readonly (Returned | null)[];
  /** Of each argument, whether it is the object that it was at the last call, with all its tensors alive. */
  readonly #isKnown: boolean[];
  /** Of each argument, whether there are caches in it, of which the room is another at every call. */
  readonly #hasCaches: readonly boolean[];
  /** Of each argument, whether its tensors are not what the program was bound to last. */
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
      leaves.slice(starts[i], starts[i + 1]).some(({ room }) => room !== null)
    );
    this.#isNew = templates.map(() => true);
    this.#returned = templates.map((wanted) => {
      const found = wanted.kind === "tensor" ? null : findForm(template, wanted);
      return found === null ? null : { ...found, tree: none, tensors: [] };
    });
  }

  /** The tensors of the arguments that were accepted, by the numbers of their places. */
  get tensors(): readonly DeviceTensor<M>[] {
    return this.#leaves.tensors as DeviceTensor<M>[];
  }

  /** Their lists. */
  get lists(): readonly NumberLists[] {
    return this.#leaves.lists;
  }

  /** Whether arguments have the form. */
  accept(args: readonly unknown[]): boolean {
    const { templates } = this.#recorded;
    this.lacksRoom = false;
    this.#calls++;
    if (args.length !== templates.length) return false;
    let fits = false;
    try {
      fits = this.#match(args, templates) && this.#acceptAll(args);
    } finally {
      // A getter may throw too.
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

  /** Whether a tensor is in an argument that was not walked now. */
  #isInKnown(t: Tensor): boolean {
    const { starts } = this.#recorded;
    return this.#isKnown.some((isKnown, i) => {
      const at = isKnown ? this.#leaves.tensors.indexOf(t, starts[i]) : -1;
      return at >= 0 && at < starts[i + 1];
    });
  }

  /** Calls `bind` with the tensors that are not what they were the last time, and the numbers of their places. */
  bindNew(bind: (at: number, t: DeviceTensor<M>) => void): void {
    const { starts } = this.#recorded;
    for (let i = 0; i < this.#isNew.length; i++) {
      if (!this.#isNew[i]) continue;
      for (let at = starts[i]; at < starts[i + 1]; at++) bind(at, this.tensors[at]);
      this.#isNew[i] = false;
    }
  }

  /** Notes what a run returned. */
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
    // A tree of parameters comes at every call: it need not be walked each time. What comes once is not worth a watch.
    const isWatched = arg === this.#accepted[i] && end > start && templates[i].kind !== "tensor";
    this.#live[i] = isWatched ? this.#backend.store.watch(this.tensors.slice(start, end)) : undefined;
    this.#accepted[i] = arg;
    this.#isNew[i] = true;
    return true;
  }

  #fits(at: number, { shape, room, growth }: Leaf): boolean {
    const t: Tensor = this.#leaves.tensors[at];
    if (!(t instanceof DeviceTensor) || t.backend !== this.#backend || t.freed) return false;
    // A tensor in two places would be another form: by marks, since to compare all with all takes long.
    if (t.leafOf === this.#id) {
      if (t.leaf !== at && this.#leaves.tensors[t.leaf] === t) return false;
    } else if (t.leafOf !== 0 && this.#isInKnown(t)) return false; // Another program has marked it since.
    t.leafOf = this.#id;
    t.leaf = at;
    if (room === null) return t.cache === null && isSameShape(t.shape, shape);
    if (t.cache === null || t.shape[0] !== shape[0] || t.shape[2] !== shape[2]) return false;
    if (!this.#anyLength && (t.shape[1] !== shape[1] || t.cache.capacity !== room)) return false;
    if (growth === undefined) return true;
    // Two holders of one block can't both grow in it.
    if (t.cache.grownBy === this.#id && t.cache.grownAt === this.#calls) return false;
    t.cache.grownBy = this.#id;
    t.cache.grownAt = this.#calls;
    const { store } = this.#backend;
    this.lacksRoom ||= !store.hasRoom(t, growth.steps);
    return !this.lacksRoom && (growth.tooMany === 0 || !store.hasRoom(t, growth.tooMany));
  }
}
