/**
 * The tensors of a device: which tensor uses which block of memory, what a scope frees, and the number of bytes in
 * use.
 *
 * @module
 */
import { isBranch, isTensor, show, showShape } from "../check.ts";
import { refusePromise } from "../mistaken.ts";
import { eventLoop } from "../event_loop.ts";
import { longerShape, shapeOf } from "../tracked_shape.ts";
import type { NumberLists } from "../number_lists.ts";
import { makePrintable } from "../printable.ts";
import type { Backend, MemoryUse, Tensor } from "../tensor.ts";
import { sizeOf } from "../tree.ts";
import type { DeviceBackend } from "./device_backend.ts";
import type { Device } from "./kernels.ts";

/** The state that the tensors over the block of a key-value cache share. */
interface Cache {
  /** The maximum number of steps of each sequence in the block. */
  readonly capacity: number;
  /**
   * The number of steps that each tensor over the block sees, in ascending order. The last is the number that is
   * filled.
   */
  readonly steps: number[];
  /** The last program that found capacity in it, and the number of that program's run. */
  grownBy: number;
  grownAt: number;
}

/** A tensor in device memory. It alone uses its block, unless it is a key-value cache, which grows in place. */
export class DeviceTensor<M> implements Tensor {
  freed = false;
  /** The number of the last scope that returned it. */
  keptBy = 0;
  /** Whether the finalization registry watches it. */
  registered = false;
  /** Whether it is being watched by {@linkcode TensorStore.watch}. */
  watched = false;
  /** The program that last had it as an argument, and its index there. */
  leafOf = 0;
  leaf = -1;
  /** In a compiled function, the lists of numbers whose stand-in it is. */
  lists: NumberLists | null = null;

  constructor(
    readonly backend: Backend,
    readonly shape: readonly number[],
    readonly memory: M,
    /** The size of the block, in elements. */
    readonly size: number,
    /** The size of the block, in bytes. */
    readonly bytes: number,
    readonly cache: Cache | null,
    /** The bytes that the tensor itself added: 0 if it shares a block with other tensors. */
    readonly ownBytes: number = bytes,
  ) {}

  /** The number of steps between the starts of two sequences in the block. */
  get capacity(): number {
    return this.cache === null ? this.shape[1] : this.cache.capacity;
  }

  /** Whether the values are row-major without gaps. */
  get packed(): boolean {
    return this.cache === null || this.shape[0] === 1 || this.cache.capacity === shapeOf(this)[1];
  }

  /** Whether its memory may be in use by another tensor. */
  get isReleased(): boolean {
    return this.freed || (this.backend as DeviceBackend<M>).store.isDisposed;
  }

  static {
    makePrintable(this, (t) => t.isReleased ? ", freed" : "");
  }
}

/** What is needed to free a tensor's memory after the tensor was garbage-collected. */
type Remains<M> = Pick<DeviceTensor<M>, "memory" | "size" | "bytes" | "cache" | "shape" | "ownBytes">;

/** Checks that the result of a scope's body is not a promise: it must be complete when the scope ends. */
export function complete<R>(result: R): R {
  if (typeof (result as { then?: unknown } | null | undefined)?.then === "function") {
    throw new TypeError("Cannot end scope: body must return its result, current result is a promise");
  }
  return result;
}

const use = { action: "use tensor" };

/** The most tensors outside all scopes that wait, before the registry is told of those still alive. */
const maximumWaiting = 1024;
/**
 * The engine's garbage collector does not see device memory. It is triggered when the tensors that are left to it
 * have grown by this number of bytes, but at most by this share of the device's memory; and, until it has run, after
 * every further half of that.
 */
const growth = 2 ** 26, growthPart = 1 / 8;

/** Observes the use of a device's memory. */
export interface StoreWatcher<M> {
  /** A tensor was created in a block of its own. */
  made(t: DeviceTensor<M>): void;
  /** A tensor is passed to an operation. */
  used(t: DeviceTensor<M>): void;
  /** Whether a tensor may be freed. */
  mayFree(t: DeviceTensor<M>): boolean;
  /** A block was released. */
  released(memory: M): void;
  /** Steps were appended to a tensor, in place if the capacity allowed it. */
  extended(past: DeviceTensor<M>, time: number, isInPlace: boolean): void;
}

/** Manages a device's memory for one backend. */
export class TensorStore<M> {
  /** The current observer, if any. */
  watcher: StoreWatcher<M> | null = null;
  readonly #backend: Backend;
  readonly #device: Device<M>;
  /** The tensors created in the innermost open scope; null outside scopes. */
  #made: DeviceTensor<M>[] | null = null;
  /** Inside {@linkcode hold}, the tensors to be freed at its end; else null. */
  #held: DeviceTensor<M>[] | null = null;
  #scopes = 0;
  #bytes = 0;
  #peakBytes = 0;
  #disposed = false;
  /** The number of watched tensors that were freed. */
  #freedWatched = 0;
  /**
   * Tensors that left all scopes. Registering one costs more than a small kernel, and most are freed soon (such as
   * the state that a step replaces), so they wait here first, and only those that survive are registered.
   */
  readonly #waiting: (DeviceTensor<M> | null)[] = new Array(maximumWaiting).fill(null);
  #waitingCount = 0;
  #waitingBytes = 0;
  /** The bytes of the registered tensors. */
  #registeredBytes = 0;
  readonly #growth: number;
  /** The number of registered bytes at which the collector is triggered. */
  #triggerAt: number;
  /** Whether the collector has run since it was triggered. */
  #collected = true;
  readonly #registry = new FinalizationRegistry<Remains<M>>((remains) => {
    this.#unregister(remains);
    this.#triggerAt = this.#registeredBytes + this.#growth;
    this.#collected = true;
    this.#drop(remains);
  });

  constructor(backend: Backend, device: Device<M>) {
    this.#backend = backend;
    this.#device = device;
    this.#growth = Math.min(growth, growthPart * (device.maximumBytes ?? Infinity));
    this.#triggerAt = this.#growth;
  }

  scope<R>(body: () => R): R {
    // Inside `hold`, the scope around it frees the tensors made here.
    if (this.#held !== null) return complete(body());
    const outer = this.#made;
    const made: DeviceTensor<M>[] = [];
    const scope = ++this.#scopes;
    let succeeded = false;
    this.#made = made;
    try {
      const result = complete(body());
      this.#keep(result, scope);
      succeeded = true;
      return result;
    } finally {
      this.#made = outer;
      for (const t of made) {
        if (!succeeded || t.keptBy !== scope) this.#release(t);
        else if (!t.freed) this.#enter(t);
      }
    }
  }

  /** Runs `body` inside the open scope; returns its result, and a function that tells whether `body` made a tensor. */
  watchMade<R>(body: () => R): [result: R, isNew: (t: Tensor) => boolean] {
    const made = this.#made!, start = made.length;
    const result = body();
    const found = new Set<Tensor>(made.slice(start));
    return [result, (t) => found.has(t)];
  }

  hold<A, R>(body: () => A, after: (result: A) => R): R {
    if (this.#held !== null) return after(body());
    return this.scope(() => {
      const held: DeviceTensor<M>[] = this.#held = [];
      try {
        let result: A;
        try {
          result = body();
        } finally {
          this.#held = null;
        }
        return after(result);
      } finally {
        for (const t of held) this.#release(t);
      }
    });
  }

  /** Marks the tensors of a scope's result. Not `forEachTensor`, since it runs several times for each token. */
  #keep(tree: unknown, scope: number): void {
    if (tree instanceof DeviceTensor) {
      // Scopes are numbered for each backend, so numbers of another backend mean nothing here.
      if (tree.backend === this.#backend) tree.keptBy = scope;
    } else if (Array.isArray(tree)) {
      for (let i = 0; i < tree.length; i++) this.#keep(tree[i], scope);
    } else if (isBranch(tree)) {
      for (const key in tree) this.#keep(tree[key], scope);
    }
  }

  /** Not `forEachTensor` either, since it runs for each token. */
  free(tree: unknown): void {
    if (tree instanceof DeviceTensor) {
      if (tree.backend !== this.#backend) throw this.#notOwn(tree);
      if (this.watcher?.mayFree(tree) === false) return;
      if (this.#held === null) this.#release(tree);
      else this.#held.push(tree);
    } else if (Array.isArray(tree)) {
      for (let i = 0; i < tree.length; i++) this.free(tree[i]);
    } else if (isTensor(tree)) {
      throw this.#notOwn(tree);
    } else if (isBranch(tree)) {
      for (const key in tree) this.free(tree[key]);
    } else {
      refusePromise("free", "tree", tree);
    }
  }

  use(): MemoryUse {
    return { bytes: this.#bytes, peakBytes: this.#peakBytes };
  }

  resetPeak(): void {
    this.#peakBytes = this.#bytes;
  }

  dispose(): void {
    this.#disposed = true;
    this.#waiting.fill(null);
    this.#waitingCount = 0;
    this.#bytes = 0;
    this.#device.dispose();
  }

  /** Whether all memory was released. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Whether new tensors are in no scope, so that their user or the collector frees them. */
  get outsideScopes(): boolean {
    return this.#made === null;
  }

  /** A new tensor with any contents. */
  make(shape: readonly number[]): DeviceTensor<M> {
    return this.#create(shape, sizeOf(shape), null);
  }

  /** The same for a shape whose number of elements is known. */
  makeOf(shape: readonly number[], size: number): DeviceTensor<M> {
    return this.#create(shape, size, null);
  }

  /** A new tensor that no scope frees: its user frees it, or the collector. */
  makeOutside(shape: readonly number[]): DeviceTensor<M> {
    const inner = this.#made;
    this.#made = null;
    try {
      return this.make(shape);
    } finally {
      this.#made = inner;
    }
  }

  /** Scratch memory of `size` elements for a kernel; null for 0 elements. */
  makeScratch(size = 0): DeviceTensor<M> | null {
    return size === 0 ? null : this.make([size]);
  }

  /** A new `[B, T, C]`, or `[B, T]`, with any contents and a capacity of `capacity` steps. */
  makeCache(shape: readonly number[], capacity: number): DeviceTensor<M> {
    const [batch, time, channels = 1] = shape;
    const size = sizeOf([batch, capacity, channels]);
    return this.#create(shape, size, { capacity, steps: [time], grownBy: 0, grownAt: 0 });
  }

  /**
   * The tensor that sees `time` more steps of the cache's block than `past` does; null if the capacity is exceeded,
   * or if another tensor was made by extending `past` and still uses those rows.
   */
  extend(past: DeviceTensor<M>, time: number): DeviceTensor<M> | null {
    const isInPlace = this.hasCapacity(past, time);
    this.watcher?.extended(past, time, isInPlace);
    if (!isInPlace) return null;
    const { memory, size, bytes, cache } = past;
    const after = shapeOf(past)[1] + time;
    cache!.steps.push(after);
    const shape = longerShape(past, after);
    const extended = new DeviceTensor(this.#backend, shape, memory, size, bytes, cache, 0);
    this.#enter(extended);
    return extended;
  }

  /** Whether {@linkcode extend} can append this many steps in place. */
  hasCapacity(t: DeviceTensor<M>, time: number): boolean {
    const { cache } = t;
    if (cache === null) return false;
    const before = shapeOf(t)[1];
    return before + time <= cache.capacity && before >= cache.steps[cache.steps.length - 1];
  }

  /**
   * Checks that a tensor is one of this backend's, and alive.
   *
   * @param by the operation that takes it, for messages
   */
  alive(x: Tensor, by: { readonly action: string } = use): DeviceTensor<M> {
    if (!(x instanceof DeviceTensor) || x.backend !== this.#backend) throw this.#notOwn(x);
    if (x.freed || this.#disposed) throw this.#notAlive(x, by.action);
    this.watcher?.used(x);
    return x;
  }

  /**
   * Returns a function that tells whether the tensors are all still alive. It may return false once another watched
   * tensor was freed.
   */
  watch(tensors: readonly DeviceTensor<M>[]): () => boolean {
    for (const t of tensors) t.watched = true;
    const freed = this.#freedWatched;
    return () => this.#freedWatched === freed && !this.#disposed;
  }

  // The errors are made in functions of their own, so that what runs a hundred times per token is small enough to be
  // inlined.

  #notAlive(t: DeviceTensor<M>, action: string): TypeError {
    return new TypeError(
      `Cannot ${action}: tensor must be alive, current tensor of shape ${showShape(t.shape)} on ` +
        `${this.#backend.name} was ${t.freed ? "freed" : "disposed of with its backend"}`,
    );
  }

  #notOwn(x: Tensor): TypeError {
    return new TypeError(
      `Cannot use tensor: it must live on this ${this.#backend.name} backend, current value is ${
        show(x)
      } of ` +
        `another ${x.backend.name}`,
    );
  }

  #create(shape: readonly number[], size: number, cache: Cache | null): DeviceTensor<M> {
    if (this.#disposed) {
      throw new TypeError(
        `Cannot make tensor: backend must be open, current ${this.#backend.name} is disposed`,
      );
    }
    const memory = this.#allocate(size);
    const bytes = this.#device.bytesFor(size);
    this.#bytes += bytes;
    if (this.#bytes > this.#peakBytes) this.#peakBytes = this.#bytes;
    const made = new DeviceTensor(this.#backend, shape, memory, size, bytes, cache);
    this.watcher?.made(made);
    this.#enter(made);
    return made;
  }

  #allocate(size: number): M {
    try {
      return this.#device.allocate(size);
    } catch (error) {
      if (error instanceof RangeError && this.#uncollectedBytes() >= this.#device.bytesFor(size)) {
        error.message +=
          "; results that were not freed wait for the event loop (await, or use scope and free)";
      }
      throw error;
    }
  }

  /** The bytes of the tensors that only the collector can free. */
  #uncollectedBytes(): number {
    return this.#waiting.reduce(
      (bytes, t) => t === null || t.freed ? bytes : bytes + t.ownBytes,
      this.#registeredBytes,
    );
  }

  /** Adds a tensor to the innermost scope, or leaves it to the collector if there is none. */
  #enter(t: DeviceTensor<M>): void {
    if (this.#made !== null) {
      this.#made.push(t);
      return;
    }
    this.#waiting[this.#waitingCount++] = t;
    this.#waitingBytes += t.ownBytes;
    if (this.#waitingCount === maximumWaiting || 4 * this.#waitingBytes >= this.#growth) {
      this.#registerOldest();
    }
  }

  /** Registers the tensors that have waited longest, until half of the list is free: the others may be freed soon. */
  #registerOldest(): void {
    let i = 0;
    for (; i < this.#waitingCount; i++) {
      if (2 * (this.#waitingCount - i) <= maximumWaiting && 8 * this.#waitingBytes <= this.#growth) break;
      const survivor = this.#waiting[i]!;
      this.#waitingBytes -= survivor.ownBytes;
      if (survivor.freed || survivor.registered) continue;
      survivor.registered = true;
      const { memory, size, bytes, cache, shape, ownBytes } = survivor;
      this.#registeredBytes += ownBytes;
      this.#registry.register(survivor, { memory, size, bytes, cache, shape, ownBytes }, survivor);
    }
    // Empties the slots, which would keep the tensors alive.
    this.#waiting.copyWithin(0, i, this.#waitingCount).fill(null, this.#waitingCount - i, this.#waitingCount);
    this.#waitingCount -= i;
    if (this.#registeredBytes >= this.#triggerAt) this.#triggerCollector();
  }

  /**
   * Triggers the garbage collector, which counts the bytes of array buffers: these are dropped at once and never
   * touched. The registry is notified of collected tensors when the event loop turns.
   */
  #triggerCollector(): void {
    this.#triggerAt = this.#registeredBytes + this.#growth / 2;
    this.#collected = false;
    allocate(growth);
    // The collector marks in steps between turns, and examines tensors that have survived once only rarely, unless
    // buffers survive as well. If memory is short, the next allocation could fail, so the event loop turns until
    // there is some.
    const wasShort = this.#isLowOnMemory();
    let turns = 4, held: unknown[] = [];
    eventLoop.want(() => {
      if (wasShort ? !this.#isLowOnMemory() : this.#collected || --turns <= 0) return false;
      held = [...held.slice(-2), allocate(growth)];
      return true;
    });
  }

  /** Whether the tensors that only the collector can free take half of the device's memory. */
  #isLowOnMemory(): boolean {
    return 2 * this.#registeredBytes >= (this.#device.maximumBytes ?? Infinity);
  }

  #release(t: DeviceTensor<M>): void {
    if (t.freed) return;
    t.freed = true;
    if (t.watched) this.#freedWatched++;
    if (t.registered) {
      this.#registry.unregister(t);
      this.#unregister(t);
    }
    this.#drop(t);
  }

  #unregister({ ownBytes }: Remains<M>): void {
    this.#registeredBytes -= ownBytes;
    this.#triggerAt = Math.min(this.#triggerAt, this.#registeredBytes + this.#growth);
  }

  #drop({ memory, size, bytes, cache, shape }: Remains<M>): void {
    if (this.#disposed) return;
    if (cache !== null) {
      cache.steps.splice(cache.steps.indexOf(shapeOf({ shape })[1]), 1);
      if (cache.steps.length > 0) return;
    }
    this.watcher?.released(memory);
    this.#device.release(memory, size);
    this.#bytes -= bytes;
  }
}

function allocate(bytes: number): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    // An engine without memory for it has just collected.
    return undefined;
  }
}
