/**
 * A recorded run of a function that can be replayed on other arguments of the same form.
 *
 * @module
 */
import type { DeviceBackend } from "../backends/device_backend.ts";
import type { DeviceTensor } from "../backends/tensor_store.ts";
import type { AbortSignalLike } from "../abort.ts";
import { eventLoop } from "../event_loop.ts";
import { type Arena, type Place, planPlaces } from "./arena.ts";
import { Arguments } from "./arguments.ts";
import { CacheNumbers } from "./cache_numbers.ts";
import type { NumberLists } from "../number_lists.ts";
import type { Recorded, Result } from "./recorded.ts";
import type { Slot } from "./recording.ts";
import { type Replayer, replayInLoop } from "./replay.ts";
import { slicesOf } from "./slices.ts";
import { build } from "./template.ts";

/** Who is given what a function closes over. */
export const running = { action: "run compiled function" };

/** A program on one backend. It has memory while it is awake; a program that sleeps keeps its recording alone. */
export class Program<M> {
  readonly backend: DeviceBackend<M>;
  readonly #recorded: Recorded<M>;
  readonly #arena: Arena<M>;
  /** Null while it sleeps. */
  #replayer: Replayer<M> | null = null;
  readonly #cacheNumbers: CacheNumbers<M> | null;
  /** Tensors of uploaded numbers. */
  #constants: DeviceTensor<M>[] = [];
  /** Whether all tensors that the function closes over are alive. */
  readonly #closuresLive: () => boolean;
  /** The memory of each slot. */
  #memories: M[] = [];
  #arguments: Arguments<M>;
  /** Where a run may pause for a turn of the event loop. */
  #slices: readonly number[] | undefined;
  /** Its places in the arena, one for each temporary. */
  #temporaries: Place[] = [];
  #isDisposed = false;
  #isRunning = false;
  #disposeLater = false;

  constructor(backend: DeviceBackend<M>, recorded: Recorded<M>) {
    this.backend = backend;
    this.#recorded = recorded;
    this.#arena = backend.arena;
    this.#closuresLive = backend.store.watch([...recorded.recording.closures.values()]);
    this.#cacheNumbers = recorded.caches.length > 0 ? new CacheNumbers(recorded) : null;
    this.#arguments = new Arguments(backend, recorded);
    this.wake();
  }

  /** Allocates the memory of a program that sleeps. */
  wake(): void {
    if (this.#replayer !== null) return;
    const { recording, calls, results, lists } = this.#recorded;
    const { store, device } = this.backend;
    try {
      this.#replayer = device.replayer?.(calls, recording.slots.length, (size) => {
        const t = store.makeOutside([size]);
        return { memory: t.memory, free: () => store.free(t) };
      }) ?? replayInLoop(calls, device.kernels as unknown as Record<string, (...args: never[]) => void>);
      this.#placeTemporaries(
        new Set(results.flatMap((result) => result.kind === "made" ? [result.slot] : [])),
      );
      for (const { slot, tensor } of lists) this.#bind(slot, tensor.memory);
      for (const [slot, tensor] of recording.closures) this.#bind(slot, tensor.memory);
      for (const [slot, numbers] of recording.uploads) {
        const constant = store.makeOutside([slot.size]);
        this.#constants.push(constant);
        device.upload(constant.memory, numbers);
        this.#bind(slot, constant.memory);
      }
    } catch (error) {
      this.#freeMemory();
      throw error;
    }
  }

  /**
   * Frees its memory and forgets its arguments, until it is woken. Returns false if it can't: it is running, or has
   * tensors besides its arguments.
   */
  sleep(): boolean {
    const { recording, lists } = this.#recorded;
    if (this.#isDisposed || this.#isRunning || recording.closures.size > 0 || lists.length > 0) return false;
    this.#freeMemory();
    this.#arguments = new Arguments(this.backend, this.#recorded);
    this.#cacheNumbers?.reset();
    return true;
  }

  #freeMemory(): void {
    this.#replayer?.free();
    this.backend.store.free(this.#constants);
    this.#arena.release(this.#temporaries);
    this.#replayer = null;
    this.#constants = [];
    this.#temporaries = [];
    this.#memories = [];
  }

  /** Allocates temporaries: everything that is made and not returned. */
  #placeTemporaries(results: ReadonlySet<Slot>): void {
    const { recording: { slots, expectations }, calls } = this.#recorded;
    const used = new Set<unknown>(calls.flatMap(({ args }) => args));
    for (const { slot } of expectations) slot.releasedAt = Infinity;
    const temporaries = slots.filter((slot) => slot.kind === "made" && used.has(slot) && !results.has(slot));
    const { device } = this.backend;
    const places = planPlaces(temporaries, (size) => device.capacityFor?.(size) ?? size);
    for (const [slot, place] of places) {
      this.#bind(slot, this.#arena.take(place));
      this.#temporaries.push(place);
    }
  }

  readonly #bindLeaf = (at: number, t: DeviceTensor<M>): void =>
    this.#bind(this.#recorded.leaves[at].slot, t.memory);

  #bind(slot: Slot, memory: M): void {
    if (this.#memories[slot.index] === memory) return;
    this.#memories[slot.index] = memory;
    this.#replayer!.bind(slot.index, memory);
  }

  /**
   * Learns from another recording how the numbers depend on the length of caches. Returns false if the two differ
   * in more.
   */
  learn(other: Recorded<M>): boolean {
    return this.#cacheNumbers?.learn(other) ?? false;
  }

  /** Binds arguments if they have the form. */
  bind(args: readonly unknown[]): boolean {
    return !this.#isDisposed && this.#arguments.accept(args) &&
      (this.#cacheNumbers === null || this.#fitsCaches(this.#cacheNumbers));
  }

  /** Whether the last arguments had the form, except that a cache has no capacity to grow in place. */
  get lacksCapacity(): boolean {
    return this.#arguments.lacksCapacity;
  }

  #fitsCaches(numbers: CacheNumbers<M>): boolean {
    const { caches } = this.#recorded;
    const [length, capacity] = this.#lengthAndCapacity(caches[0]);
    for (let i = 1; i < caches.length; i++) {
      const other = this.#arguments.tensors[caches[i]];
      if (other.shape[1] !== length || other.cache!.capacity !== capacity) return false;
    }
    return numbers.knows(length, capacity);
  }

  #lengthAndCapacity(leaf: number): [length: number, capacity: number] {
    const { shape, cache } = this.#arguments.tensors[leaf];
    return [shape[1], cache!.capacity];
  }

  /** Whether neither it nor its backend has been disposed of. */
  get isAlive(): boolean {
    return !this.#isDisposed && !this.backend.store.isDisposed;
  }

  /** Whether no other program uses the arena and nothing is being recorded. */
  get canRun(): boolean {
    return !this.#arena.isInUse && !this.backend.isRecording;
  }

  /**
   * Allocates the results of a run on the bound arguments; null if f must be called instead, because memory is
   * short or a check of lists fails.
   */
  start(): DeviceTensor<M>[] | null {
    const { recording, lists, results, caches } = this.#recorded;
    const { store, device } = this.backend;
    if (!this.#closuresLive()) { for (const t of recording.closures.values()) store.alive(t, running); }
    for (let i = 0; i < lists.length; i++) lists[i].tensor.lists = this.#arguments.lists[i];
    const made: DeviceTensor<M>[] = [];
    try {
      for (const check of recording.checks.checks) check();
      for (const result of results) made.push(this.#make(result, made));
    } catch (error) {
      this.#freeResults(made);
      if (error instanceof RangeError) return null;
      throw error;
    }
    for (let i = 0; i < lists.length; i++) {
      device.upload(lists[i].tensor.memory, ravel(this.#arguments.lists[i]));
    }
    this.#arguments.bindNew(this.#bindLeaf);
    if (this.#cacheNumbers !== null) {
      this.#cacheNumbers.set(this.#replayer!, ...this.#lengthAndCapacity(caches[0]));
    }
    return made;
  }

  /** Runs with the results of {@linkcode start}; returns what the function returns. */
  run(results: readonly DeviceTensor<M>[]): unknown {
    try {
      this.#replayer!.run(0, this.#recorded.calls.length);
      return this.#finish(results, this.#arguments.lists);
    } catch (error) {
      this.#freeResults(results);
      throw error;
    }
  }

  /** The same with turns of the event loop. */
  async runWithTurns(
    results: readonly DeviceTensor<M>[],
    signal: AbortSignalLike | undefined,
  ): Promise<unknown> {
    const slices = this.#slices ??= slicesOf(this.#recorded.calls);
    // Meanwhile other calls may check their arguments and replace these.
    const lists = [...this.#arguments.lists];
    this.#arena.isInUse = this.#isRunning = true;
    try {
      for (let i = 1; i < slices.length; i++) {
        const turn = eventLoop.pause(signal);
        if (turn !== undefined) await turn;
        this.#replayer!.run(slices[i - 1], slices[i]);
      }
      return this.#finish(results, lists);
    } catch (error) {
      this.#freeResults(results);
      throw error;
    } finally {
      this.#arena.isInUse = this.#isRunning = false;
      if (this.#disposeLater) this.dispose();
    }
  }

  #freeResults(results: readonly DeviceTensor<M>[]): void {
    this.#recorded.results.forEach(({ kind }, i) => {
      if (i < results.length && (kind === "made" || kind === "grown")) this.backend.store.free(results[i]);
    });
  }

  /** Returns the function's result after all calls have run. */
  #finish(results: readonly DeviceTensor<M>[], lists: readonly NumberLists[]): unknown {
    const { recording: { expectations }, template } = this.#recorded;
    for (const { slot, size, errorAt } of expectations) {
      this.backend.expectZerosIn(this.#memories[slot.index], size, errorAt);
    }
    const tree = build(template, results, lists);
    this.#arguments.note(tree, results);
    return tree;
  }

  #make(result: Result<M>, made: readonly DeviceTensor<M>[]): DeviceTensor<M> {
    const { store } = this.backend;
    switch (result.kind) {
      case "made": {
        const { slot, shape, size, capacity } = result;
        const t = capacity === null ? store.makeOf(shape, size) : store.makeCache(shape, capacity);
        this.#bind(slot, t.memory);
        return t;
      }
      case "grown": {
        const past = result.of === "leaf" ? this.#arguments.tensors[result.index] : made[result.index];
        return store.extend(past, result.steps)!;
      }
      case "leaf":
        return this.#arguments.tensors[result.index];
      case "closure":
        return result.tensor;
    }
  }

  /** Frees its memory, once it is not running. */
  dispose(): void {
    this.#disposeLater = this.#isRunning;
    if (this.#isDisposed || this.#isRunning) return;
    this.#isDisposed = true;
    this.#freeMemory();
    this.backend.store.free(this.#recorded.lists.map(({ tensor }) => tensor));
  }
}

/** The numbers of lists, concatenated. */
function ravel(lists: NumberLists): ArrayLike<number> {
  if (lists.length === 1) return lists[0];
  const [{ length }] = lists;
  const numbers = new Float64Array(lists.length * length);
  lists.forEach((list, i) => numbers.set(list, i * length));
  return numbers;
}
