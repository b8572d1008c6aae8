/**
 * The tensors of a device: who holds which block of its memory, what a scope frees, how many bytes are held.
 *
 * @module
 */
import { isBranch, isTensor, show, showShape } from "../check.ts";
import { eventLoop } from "../event_loop.ts";
import { longerShape, shapeOf } from "../tracked_shape.ts";
import type { NumberLists } from "../number_lists.ts";
import { makePrintable } from "../printable.ts";
import type { Backend, MemoryUse, Tensor } from "../tensor.ts";
import { sizeOf } from "../tree.ts";
import type { DeviceBackend } from "./device_backend.ts";
import type { Device } from "./kernels.ts";

/** What the tensors that see a part of the same cache have in common. */
interface Cache {
  /** The steps that fit between the start of one sequence and that of the next. */
  readonly capacity: number;
  /** The number of steps that each holder sees, rising. The last is how far the cache is filled. */
  readonly steps: number[];
  /** The program that last found room in it, and at which of its calls. */
  grownBy: number;
  grownAt: number;
}

/** A tensor in device memory: the only holder of its block, unless it is a key-value cache, which grows in place. */
export class DeviceTensor<M> implements Tensor {
  freed = false;
  /** The number of the scope whose result held it last. */
  keptBy = 0;
  /** Whether the collector's registry watches it. */
  watched = false;
  /** Whether {@linkcode TensorStore.watch} is to hear when it is freed. */
  reliedOn = false;
  /** The program that it was last an argument of, and the number of its place there. */
  leafOf = 0;
  leaf = -1;
  /** The lists of numbers that it stands for in a compiled function. */
  lists: NumberLists | null = null;

  constructor(
    readonly backend: Backend,
    readonly shape: readonly number[],
    readonly memory: M,
    /** Of the block, in elements. */
    readonly size: number,
    /** Of the block. */
    readonly bytes: number,
    readonly cache: Cache | null,
    /** By how much it made what is held more: not at all, where it sees a block that others see as well. */
    readonly ownBytes: number = bytes,
  ) {}

  /** The steps from the start of one sequence to that of the next. */
  get stepsApart(): number {
    return this.cache === null ? this.shape[1] : this.cache.capacity;
  }

  /** Whether the values stand row-major without gaps. */
  get packed(): boolean {
    return this.cache === null || this.shape[0] === 1 || this.cache.capacity === shapeOf(this)[1];
  }

  /** Whether its memory is another's by now. */
  get isGone(): boolean {
    return this.freed || (this.backend as DeviceBackend<M>).store.isDisposed;
  }

  static {
    makePrintable(this, (t) => t.isGone ? ", freed" : "");
  }
}

/** What is left of a tensor when the collector has taken it: all that it takes to give its memory back. */
type Remains<M> = Pick<DeviceTensor<M>, "memory" | "size" | "bytes" | "cache" | "shape" | "ownBytes">;

/** The result of a scope's body, which must be there when the scope ends. */
export function complete<R>(result: R): R {
  if (typeof (result as { then?: unknown } | null | undefined)?.then === "function") {
    throw new TypeError("Cannot end scope: body must return its result, current result is a promise");
  }
  return result;
}

const use = { action: "use tensor" };

/** How many tensors may wait outside all scopes before the registry is told of those still alive. */
const mostWaiting = 1024;
/**
 * The engine's collector does not see a device's memory. When the tensors that are left to it have grown by so many bytes, and
 * at most by this part of the device's, it is told; while it has not come, again at every half of that.
 */
const growth = 2 ** 26, growthPart = 1 / 8;

/** Who follows what becomes of a device's memory. */
export interface StoreWatcher<M> {
  /** A tensor got a block of its own. */
  made(t: DeviceTensor<M>): void;
  /** A tensor goes into an operation. */
  used(t: DeviceTensor<M>): void;
  /** Whether a tensor may be freed. */
  mayFree(t: DeviceTensor<M>): boolean;
  /** A block went back. */
  released(memory: M): void;
  /** So many steps were to be appended to a tensor in place; whether they were. */
  extended(past: DeviceTensor<M>, time: number, isInPlace: boolean): void;
}

/** Owns a device's memory on behalf of one backend. */
export class TensorStore<M> {
  /** Follows what is made and released, if anybody does. */
  watcher: StoreWatcher<M> | null = null;
  readonly #backend: Backend;
  readonly #device: Device<M>;
  /** What the innermost open scope has made. */
  #made: DeviceTensor<M>[] | null = null;
  /** While everything is held: what is to be freed afterwards. */
  #held: DeviceTensor<M>[] | null = null;
  #scopes = 0;
  #bytes = 0;
  #peakBytes = 0;
  #disposed = false;
  /** How many tensors were freed that somebody relied on. */
  #losses = 0;
  /**
   * Tensors that left all scopes. Watching one costs more than a small kernel, and most are freed soon (the state
   * that a step leaves behind), so they wait here first and only the survivors are watched.
   */
  readonly #waiting: (DeviceTensor<M> | null)[] = new Array(mostWaiting).fill(null);
  #waitingCount = 0;
  #waitingBytes = 0;
  /** Of the tensors that the registry watches. */
  #watchedBytes = 0;
  readonly #growth: number;
  /** At so many watched bytes the collector is told. */
  #tellAt: number;
  /** Whether the collector has come since. */
  #collected = true;
  readonly #registry = new FinalizationRegistry<Remains<M>>((remains) => {
    this.#unwatch(remains);
    this.#tellAt = this.#watchedBytes + this.#growth;
    this.#collected = true;
    this.#drop(remains);
  });

  constructor(backend: Backend, device: Device<M>) {
    this.#backend = backend;
    this.#device = device;
    this.#growth = Math.min(growth, growthPart * (device.maximumBytes ?? Infinity));
    this.#tellAt = this.#growth;
  }

  scope<R>(body: () => R): R {
    // While everything is held, the scope around the holding frees what is made here.
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

  /** Marks the tensors of a scope's result: a walk of its own, because it runs several times in every token. */
  #keep(tree: unknown, scope: number): void {
    if (tree instanceof DeviceTensor) {
      // Another backend counts its scopes for itself, and may be in the one of the same number.
      if (tree.backend === this.#backend) tree.keptBy = scope;
    } else if (Array.isArray(tree)) {
      for (let i = 0; i < tree.length; i++) this.#keep(tree[i], scope);
    } else if (isBranch(tree)) {
      for (const key in tree) this.#keep(tree[key], scope);
    }
  }

  /** A walk of its own too: it runs in every token. */
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

  /** Whether all memory was given back. */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Whether what is made now is left to its user or the collector. */
  get outsideScopes(): boolean {
    return this.#made === null;
  }

  /** A new tensor with any contents. */
  make(shape: readonly number[]): DeviceTensor<M> {
    return this.#hold(shape, sizeOf(shape), null);
  }

  /** The same of a shape that is known to hold so many elements. */
  makeOf(shape: readonly number[], size: number): DeviceTensor<M> {
    return this.#hold(shape, size, null);
  }

  /** A new tensor that no scope frees: whoever holds it does, or the collector. */
  makeOutside(shape: readonly number[]): DeviceTensor<M> {
    const inner = this.#made;
    this.#made = null;
    try {
      return this.make(shape);
    } finally {
      this.#made = inner;
    }
  }

  /** Scratch memory of `size` elements for a kernel; null where it needs none. */
  makeScratch(size = 0): DeviceTensor<M> | null {
    return size === 0 ? null : this.make([size]);
  }

  /** A new `[B, T, C]`, or `[B, T]`, with any contents and room for `capacity` steps. */
  makeCache(shape: readonly number[], capacity: number): DeviceTensor<M> {
    const [batch, time, channels = 1] = shape;
    const size = sizeOf([batch, capacity, channels]);
    return this.#hold(shape, size, { capacity, steps: [time], grownBy: 0, grownAt: 0 });
  }

  /**
   * The tensor that sees `time` steps more of the cache's block than `past` does, or null where that is not
   * possible: where the room is used up, or another tensor has gone on from `past` and still holds those rows.
   */
  extend(past: DeviceTensor<M>, time: number): DeviceTensor<M> | null {
    const isInPlace = this.hasRoom(past, time);
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

  /** Whether {@linkcode extend} would find room. */
  hasRoom(t: DeviceTensor<M>, time: number): boolean {
    const { cache } = t;
    if (cache === null) return false;
    const before = shapeOf(t)[1];
    return before + time <= cache.capacity && before >= cache.steps[cache.steps.length - 1];
  }

  /**
   * The tensor as one of this backend's, alive.
   *
   * @param by who is given it, for messages
   */
  alive(x: Tensor, by: { readonly action: string } = use): DeviceTensor<M> {
    if (!(x instanceof DeviceTensor) || x.backend !== this.#backend) throw this.#notOwn(x);
    if (x.freed || this.#disposed) throw this.#notAlive(x, by.action);
    this.watcher?.used(x);
    return x;
  }

  /** Whether tensors are still alive, as often as one likes. Another's end may give a false no. */
  watch(tensors: readonly DeviceTensor<M>[]): () => boolean {
    for (const t of tensors) t.reliedOn = true;
    const losses = this.#losses;
    return () => this.#losses === losses && !this.#disposed;
  }

  // The messages stand apart: what runs a hundred times in a token is small enough to be compiled into its callers.

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

  #hold(shape: readonly number[], size: number, cache: Cache | null): DeviceTensor<M> {
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

  /** Of the tensors that only the collector can give back. */
  #uncollectedBytes(): number {
    return this.#waiting.reduce(
      (bytes, t) => t === null || t.freed ? bytes : bytes + t.ownBytes,
      this.#watchedBytes,
    );
  }

  /** Puts a tensor into the innermost scope, or leaves it to the collector where there is none. */
  #enter(t: DeviceTensor<M>): void {
    if (this.#made !== null) {
      this.#made.push(t);
      return;
    }
    this.#waiting[this.#waitingCount++] = t;
    this.#waitingBytes += t.ownBytes;
    if (this.#waitingCount === mostWaiting || 4 * this.#waitingBytes >= this.#growth) this.#watchOldest();
  }

  /** Has the registry watch those that have waited longest, until half of the room is free: the others may be freed soon. */
  #watchOldest(): void {
    let i = 0;
    for (; i < this.#waitingCount; i++) {
      if (2 * (this.#waitingCount - i) <= mostWaiting && 8 * this.#waitingBytes <= this.#growth) break;
      const survivor = this.#waiting[i]!;
      this.#waitingBytes -= survivor.ownBytes;
      if (survivor.freed || survivor.watched) continue;
      survivor.watched = true;
      const { memory, size, bytes, cache, shape, ownBytes } = survivor;
      this.#watchedBytes += ownBytes;
      this.#registry.register(survivor, { memory, size, bytes, cache, shape, ownBytes }, survivor);
    }
    // They are not to be kept from the collector.
    this.#waiting.copyWithin(0, i, this.#waitingCount).fill(null, this.#waitingCount - i, this.#waitingCount);
    this.#waitingCount -= i;
    if (this.#watchedBytes >= this.#tellAt) this.#tellCollector();
  }

  /**
   * Makes the collector look for tensors that nobody holds any more: it counts the bytes of an array buffer, which are dropped
   * at once and never touched. The registry hears of those tensors when the event loop turns.
   */
  #tellCollector(): void {
    this.#tellAt = this.#watchedBytes + this.#growth / 2;
    this.#collected = false;
    allocate(growth);
    // It marks in steps between the turns, and takes its time over tensors that have survived once: it looks for those only if
    // buffers survive too. Where room is short, the next tensor may find none, so the event loop turns until there is some.
    const wasShort = this.#isShortOfRoom();
    let turns = 4, held: unknown[] = [];
    eventLoop.want(() => {
      if (wasShort ? !this.#isShortOfRoom() : this.#collected || --turns <= 0) return false;
      held = [...held.slice(-2), allocate(growth)];
      return true;
    });
  }

  /** Whether half of the device's memory is left to the collector. */
  #isShortOfRoom(): boolean {
    return 2 * this.#watchedBytes >= (this.#device.maximumBytes ?? Infinity);
  }

  #release(t: DeviceTensor<M>): void {
    if (t.freed) return;
    t.freed = true;
    if (t.reliedOn) this.#losses++;
    if (t.watched) {
      this.#registry.unregister(t);
      this.#unwatch(t);
    }
    this.#drop(t);
  }

  #unwatch({ ownBytes }: Remains<M>): void {
    this.#watchedBytes -= ownBytes;
    this.#tellAt = Math.min(this.#tellAt, this.#watchedBytes + this.#growth);
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
    // An engine that has no room for it has just collected.
    return undefined;
  }
}
