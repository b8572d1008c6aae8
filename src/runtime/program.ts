/**
 * A recorded run of a function, to be run again on other arguments of the same form.
 *
 * @module
 */
import type { DeviceBackend } from "../backends/device_backend.ts";
import { DeviceTensor } from "../backends/tensor_store.ts";
import type { AbortSignalLike } from "../abort.ts";
import { isSameShape } from "../check.ts";
import { eventLoop } from "../event_loop.ts";
import { type Arena, planPlaces } from "./arena.ts";
import { CacheNumbers } from "./cache_numbers.ts";
import type { NumberLists } from "./lists.ts";
import type { Tensor } from "../tensor.ts";
import type { Leaf, Recorded, Result } from "./recorded.ts";
import type { Slot } from "./recording.ts";
import { type Replayer, replayInLoop } from "./replay.ts";
import { build, findForm, type Leaves, matches } from "./template.ts";

/** A part of the results that has the form of an argument. */
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

/** A program on one backend. */
export class Program<M> {
  readonly backend: DeviceBackend<M>;
  /** Whether the arguments it was asked for last are of its form, but for a cache that has no room to grow in place. */
  lacksRoom = false;
  readonly #recorded: Recorded<M>;
  readonly #arena: Arena<M>;
  readonly #replayer: Replayer<M>;
  readonly #cacheNumbers: CacheNumbers<M> | null;
  /** What holds uploaded numbers. */
  readonly #constants: DeviceTensor<M>[] = [];
  /** Whether all tensors that the function closes over still live. */
  readonly #closuresLive: () => boolean;
  /** The memory of each slot. */
  readonly #memories: M[] = [];
  /** The leaves of the arguments that it has accepted. */
  readonly #leaves: Leaves = { tensors: [], lists: [] };
  /** Of each argument where its leaves start, and where the last ones end. */
  readonly #starts: readonly number[];
  /** The arguments that it has accepted; of those that came twice, whether all their tensors still live. */
  readonly #accepted: unknown[];
  readonly #live: ((() => boolean) | undefined)[];
  /** Of each argument, what of the results has its form: a state, which comes back at the next call and need not be walked. */
  readonly #returned: readonly (Returned | null)[];
  #isFreed = false;
  #isRunning = false;
  #freeLater = false;

  constructor(backend: DeviceBackend<M>, recorded: Recorded<M>, arena: Arena<M>) {
    this.backend = backend;
    this.#recorded = recorded;
    this.#arena = arena;
    const { recording, calls, results, lists, templates, starts } = recorded;
    const { store, device } = backend;
    arena.count(1);
    try {
      this.#replayer = device.replayer?.(calls, recording.slots.length, (size) => {
        const t = store.makeOutside([size]);
        return { memory: t.memory, free: () => store.free(t) };
      }) ?? replayInLoop(calls, device.kernels as unknown as Record<string, (...args: never[]) => void>);
      this.#placePassing(new Set(results.flatMap((result) => result.kind === "made" ? [result.slot] : [])));
      for (const { slot, tensor } of lists) this.#bind(slot, tensor.memory);
      for (const [slot, tensor] of recording.closures) this.#bind(slot, tensor.memory);
      for (const [slot, numbers] of recording.uploads) {
        const constant = store.makeOutside([slot.size]);
        this.#constants.push(constant);
        device.upload(constant.memory, numbers);
        this.#bind(slot, constant.memory);
      }
    } catch (error) {
      store.free(this.#constants);
      arena.count(-1);
      throw error;
    }
    this.#closuresLive = store.watch([...recording.closures.values()]);
    this.#cacheNumbers = recorded.caches.length > 0 ? new CacheNumbers(recorded) : null;
    this.#starts = starts;
    this.#returned = templates.map((wanted) => {
      const found = wanted.kind === "tensor" ? null : findForm(recorded.template, wanted);
      return found === null ? null : { ...found, tree: none, tensors: [] };
    });
    this.#accepted = templates.map(() => none);
    this.#live = templates.map(() => undefined);
  }

  /** Gives memory to what is made on the way and is no result. */
  #placePassing(results: ReadonlySet<Slot>): void {
    const { recording: { slots, expectations }, calls } = this.#recorded;
    const used = new Set<unknown>(calls.flatMap(({ args }) => args));
    for (const { slot } of expectations) slot.releasedAt = Infinity;
    const passing = slots.filter((slot) => slot.kind === "made" && used.has(slot) && !results.has(slot));
    const { device } = this.backend;
    const places = planPlaces(passing, (size) => device.roomFor?.(size) ?? size);
    const memories = this.#arena.take(places.values());
    [...places.keys()].forEach((slot, i) => this.#bind(slot, memories[i]));
  }

  #bind(slot: Slot, memory: M): void {
    if (this.#memories[slot.index] === memory) return;
    this.#memories[slot.index] = memory;
    this.#replayer.bind(slot.index, memory);
  }

  /** Learns from another recording how its numbers depend on the length of caches; whether that is all in which they differ. */
  learn(other: Recorded<M>): boolean {
    return this.#cacheNumbers?.learn(other) ?? false;
  }

  /** Whether arguments have the form that this program is for; they are those of the next run then. */
  accepts(args: readonly unknown[]): boolean {
    const { templates } = this.#recorded;
    this.lacksRoom = false;
    if (this.#isFreed || args.length !== templates.length) return false;
    let fits = true;
    for (let i = 0; i < args.length && fits; i++) {
      if (args[i] === this.#accepted[i] && this.#live[i]?.()) continue;
      fits = this.#takeReturned(i, args[i]) || matches(templates[i], args[i], this.#leaves);
    }
    for (let i = 0; i < args.length && fits; i++) {
      if (args[i] !== this.#accepted[i] || !this.#live[i]?.()) fits = this.#accept(i, args[i]);
    }
    fits &&= this.#cacheNumbers === null || this.#fitsCaches(this.#cacheNumbers);
    if (!fits) this.#accepted.fill(none);
    return fits;
  }

  /** Takes the tensors of an argument that is a part of the last results. */
  #takeReturned(i: number, arg: unknown): boolean {
    const returned = this.#returned[i];
    if (returned === null || arg !== returned.tree) return false;
    const { indices, tensors } = returned, start = this.#starts[i];
    for (let k = 0; k < indices.length; k++) this.#leaves.tensors[start + k] = tensors[indices[k]];
    return true;
  }

  #accept(i: number, arg: unknown): boolean {
    const { templates, leaves } = this.#recorded;
    const start = this.#starts[i], end = this.#starts[i + 1];
    for (let at = start; at < end; at++) if (!this.#fits(at, leaves[at])) return false;
    // A tree of parameters comes at every call: it need not be walked each time. What comes once is not worth a watch.
    const isWatched = arg === this.#accepted[i] && end > start && templates[i].kind !== "tensor";
    this.#live[i] = isWatched
      ? this.backend.store.watch(this.#leaves.tensors.slice(start, end) as DeviceTensor<M>[])
      : undefined;
    this.#accepted[i] = arg;
    return true;
  }

  #fits(at: number, { shape, room, growth }: Leaf): boolean {
    const t = this.#leaves.tensors[at];
    if (!(t instanceof DeviceTensor) || t.backend !== this.backend || t.freed) return false;
    // A tensor in two places would be another form: by marks, since to compare all with all takes long.
    if (t.leafOf === this && t.leaf !== at && this.#leaves.tensors[t.leaf] === t) return false;
    t.leafOf = this;
    t.leaf = at;
    if (room === null) return t.cache === null && isSameShape(t.shape, shape);
    if (t.cache === null || t.shape[0] !== shape[0] || t.shape[2] !== shape[2]) return false;
    if (this.#cacheNumbers === null && (t.shape[1] !== shape[1] || t.cache.capacity !== room)) return false;
    if (growth === undefined) return true;
    const { store } = this.backend;
    this.lacksRoom ||= !store.hasRoom(t, growth.steps);
    return !this.lacksRoom && (growth.tooMany === 0 || !store.hasRoom(t, growth.tooMany));
  }

  #fitsCaches(numbers: CacheNumbers<M>): boolean {
    const { caches } = this.#recorded;
    const [length, room] = this.#lengthAndRoom(caches[0]);
    for (let i = 1; i < caches.length; i++) {
      const other = this.#leaves.tensors[caches[i]] as DeviceTensor<M>;
      if (other.shape[1] !== length || other.cache!.capacity !== room) return false;
    }
    return numbers.knows(length, room);
  }

  #lengthAndRoom(leaf: number): [length: number, room: number] {
    const { shape, cache } = this.#leaves.tensors[leaf] as DeviceTensor<M>;
    return [shape[1], cache!.capacity];
  }

  /** Whether it can still be run. */
  get isAlive(): boolean {
    return !this.#isFreed && !this.backend.store.isDisposed;
  }

  /** Whether what it makes on the way has room, which another program may be using. */
  get isFree(): boolean {
    return !this.#arena.isInUse && !this.backend.isRecording;
  }

  /** Runs it on the arguments that it has accepted. */
  run(): unknown {
    const results = this.#start();
    this.#replayer.run(0, this.#recorded.calls.length);
    return this.#finish(results);
  }

  /** The same while the event loop turns. */
  async runWithTurns(signal: AbortSignalLike | undefined): Promise<unknown> {
    const { calls } = this.#recorded;
    const results = this.#start();
    this.#arena.isInUse = this.#isRunning = true;
    try {
      let atOnce = 1;
      for (let from = 0; from < calls.length;) {
        const to = Math.min(calls.length, from + atOnce), start = performance.now();
        this.#replayer.run(from, to);
        from = to;
        // To look at the clock takes as long as a small kernel.
        atOnce = performance.now() - start < 1 ? Math.min(2 * atOnce, 64) : Math.max(1, atOnce >> 1);
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
      }
      return this.#finish(results);
    } catch (error) {
      this.#freeResults(results);
      throw error;
    } finally {
      this.#arena.isInUse = this.#isRunning = false;
      if (this.#freeLater) this.free();
    }
  }

  /** Binds the arguments that it has accepted, and makes the results. */
  #start(): DeviceTensor<M>[] {
    const { recording, leaves, lists, results, caches } = this.#recorded;
    const { store, device } = this.backend;
    if (!this.#closuresLive()) { for (const t of recording.closures.values()) store.alive(t); }
    for (let i = 0; i < lists.length; i++) lists[i].tensor.lists = this.#leaves.lists[i];
    for (const check of recording.checks) check();
    const made: DeviceTensor<M>[] = [];
    try {
      for (const result of results) made.push(this.#make(result, made));
    } catch (error) {
      this.#freeResults(made);
      throw error;
    }
    for (let i = 0; i < lists.length; i++) {
      device.upload(lists[i].tensor.memory, ravel(this.#leaves.lists[i]));
    }
    for (let i = 0; i < leaves.length; i++) {
      this.#bind(leaves[i].slot, (this.#leaves.tensors[i] as DeviceTensor<M>).memory);
    }
    if (this.#cacheNumbers !== null) {
      this.#cacheNumbers.set(this.#replayer, ...this.#lengthAndRoom(caches[0]));
    }
    return made;
  }

  #freeResults(results: readonly DeviceTensor<M>[]): void {
    this.#recorded.results.forEach(({ kind }, i) => {
      if (i < results.length && (kind === "made" || kind === "grown")) this.backend.store.free(results[i]);
    });
  }

  /** What the function returns, once all calls have run. */
  #finish(results: readonly DeviceTensor<M>[]): unknown {
    const { recording: { expectations }, template } = this.#recorded;
    for (const { slot, size, errorAt } of expectations) {
      this.backend.expectZerosIn(this.#memories[slot.index], size, errorAt);
    }
    const tree = build(template, results);
    for (const returned of this.#returned) {
      if (returned === null) continue;
      let part = tree;
      for (const key of returned.path) part = (part as Readonly<Record<typeof key, unknown>>)[key];
      returned.tree = part;
      returned.tensors = results;
    }
    return tree;
  }

  #make(result: Result<M>, made: readonly DeviceTensor<M>[]): DeviceTensor<M> {
    const { store } = this.backend;
    switch (result.kind) {
      case "made": {
        const { slot, shape, room } = result;
        const t = room === null ? store.make(shape) : store.makeCache(shape[0], shape[1], shape[2], room);
        this.#bind(slot, t.memory);
        return t;
      }
      case "grown": {
        const past = result.of === "leaf"
          ? this.#leaves.tensors[result.index] as DeviceTensor<M>
          : made[result.index];
        return store.extend(past, result.steps)!;
      }
      case "leaf":
        return this.#leaves.tensors[result.index] as DeviceTensor<M>;
      case "closure":
        return result.tensor;
    }
  }

  /** Gives back what it holds. */
  free(): void {
    if (this.#isFreed) return;
    this.#freeLater = this.#isRunning;
    if (this.#isRunning) return;
    this.#isFreed = true;
    this.#replayer.free();
    this.backend.store.free([this.#constants, this.#recorded.lists.map(({ tensor }) => tensor)]);
    this.#arena.count(-1);
  }
}

/** The numbers of lists, one list after the other. */
export function ravel(lists: NumberLists): ArrayLike<number> {
  if (lists.length === 1) return lists[0];
  const [{ length }] = lists;
  const numbers = new Float64Array(lists.length * length);
  lists.forEach((list, i) => numbers.set(list, i * length));
  return numbers;
}
