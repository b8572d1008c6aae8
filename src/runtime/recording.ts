/**
 * A recording: the kernels that a function calls, with the blocks of memory and the numbers that it passes to them.
 *
 * @module
 */
import type { DeviceTensor, StoreWatcher } from "../backends/tensor_store.ts";
import type { ListChecks } from "../number_lists.ts";

/** A block of memory in recorded calls. Replaying binds it to an actual block. */
export interface Slot {
  readonly index: number;
  /** In elements. */
  readonly size: number;
  /**
   * An argument of the function, a tensor made while it ran, or a block with the same numbers at every replay:
   * uploaded by the function or closed over.
   */
  readonly kind: "argument" | "made" | "uploaded" | "closure";
  /** The number of calls before it was made, and before it was released. */
  madeAt: number;
  releasedAt: number;
}

/** An argument of a kernel: memory, null, or a number. */
export type KernelArgument = Slot | number | null;

/** One call of a kernel. */
export interface Call {
  readonly kernel: string;
  readonly args: readonly KernelArgument[];
}

/** Numbers that must be 0 after a run, and the error to throw for one that is not. */
interface Expectation {
  readonly slot: Slot;
  readonly size: number;
  readonly errorAt: (index: number) => Error;
}

/** By how many steps a function extends one of its arguments. */
export interface Growth {
  /** The number of steps appended in place. */
  steps: number;
  /** The number of steps that exceeded the capacity; 0 if none did. */
  tooMany: number;
}

/** Records the calls on a backend. */
export class Recording<M> implements StoreWatcher<M> {
  readonly slots: Slot[] = [];
  readonly calls: Call[] = [];
  readonly expectations: Expectation[] = [];
  /** The checks of lists that are repeated at every run. */
  readonly checks: ListChecks = { checks: [], failed: false };
  /** The function's tensor arguments. */
  readonly given = new Set<DeviceTensor<M>>();
  /** Whether it can't be replayed, because it frees an argument or appends in place to a cache that it closes over. */
  cannotRepeat = false;
  readonly growths = new Map<Slot, Growth>();
  /** The numbers of uploaded slots. */
  readonly uploads = new Map<Slot, ArrayLike<number>>();
  /** The tensors that the function closes over. */
  readonly closures = new Map<Slot, DeviceTensor<M>>();
  readonly #isMemory: (kernel: string, at: number, value: unknown) => boolean;
  /** The slots of blocks that are not released. */
  readonly #slots = new Map<M, Slot>();

  constructor(isMemory: (kernel: string, at: number, value: unknown) => boolean) {
    this.#isMemory = isMemory;
  }

  /** Adds a slot for an argument of the function. */
  argument({ memory, size }: DeviceTensor<M>): Slot {
    return this.#add(memory, size, "argument");
  }

  /** The slot of a tensor's memory, if it has one. */
  slotOf({ memory }: DeviceTensor<M>): Slot | undefined {
    return this.#slots.get(memory);
  }

  made({ memory, size }: DeviceTensor<M>): void {
    this.#add(memory, size, "made");
  }

  used(t: DeviceTensor<M>): void {
    if (this.#slots.has(t.memory)) return;
    this.closures.set(this.#add(t.memory, t.size, "closure"), t);
  }

  mayFree(t: DeviceTensor<M>): boolean {
    const slot = this.#slots.get(t.memory);
    const isOwn = slot !== undefined && !this.given.has(t) && this.closures.get(slot) !== t;
    this.cannotRepeat ||= !isOwn;
    return isOwn;
  }

  released(memory: M): void {
    const slot = this.#slots.get(memory);
    if (slot === undefined) return;
    slot.releasedAt = this.calls.length;
    this.#slots.delete(memory);
  }

  extended(past: DeviceTensor<M>, time: number, isInPlace: boolean): void {
    const slot = this.#slots.get(past.memory);
    // By the next run, another tensor may have been appended to such a cache.
    this.cannotRepeat ||= slot?.kind === "closure" && isInPlace;
    if (slot?.kind !== "argument") return;
    const growth = this.growths.get(slot) ?? { steps: 0, tooMany: 0 };
    if (isInPlace) growth.steps += time;
    else growth.tooMany ||= growth.steps + time;
    this.growths.set(slot, growth);
  }

  /** Notes that numbers were written to a new block. */
  uploaded(memory: M, data: ArrayLike<number>): void {
    const made = this.#slots.get(memory)!;
    const constant: Slot = {
      ...made,
      index: this.slots.length,
      kind: "uploaded",
      madeAt: -1,
      releasedAt: Infinity,
    };
    this.slots.push(constant);
    this.uploads.set(constant, Float64Array.from(data));
    // The copy is needed if other calls write to the block, or if it is a result; otherwise it is removed.
    this.calls.push({ kernel: "copyRows", args: [made, 0, 0, constant, 0, 0, 1, data.length] });
  }

  call(kernel: string, args: readonly (M | number | null | undefined)[]): void {
    this.calls.push({
      kernel,
      args: args.map((arg, at) => {
        if (!this.#isMemory(kernel, at, arg)) return arg as number;
        return arg === null || arg === undefined || arg as unknown === 0 ? null : this.#slots.get(arg as M)!;
      }),
    });
  }

  expected(memory: M, size: number, errorAt: (index: number) => Error): void {
    this.expectations.push({ slot: this.#slots.get(memory)!, size, errorAt });
  }

  /** Forgets the function's tensors, which a recording that is kept would keep alive. */
  close(): void {
    this.given.clear();
    this.#slots.clear();
  }

  #add(memory: M, size: number, kind: Slot["kind"]): Slot {
    const slot: Slot = {
      index: this.slots.length,
      size,
      kind,
      madeAt: kind === "made" ? this.calls.length : -1,
      releasedAt: Infinity,
    };
    this.slots.push(slot);
    this.#slots.set(memory, slot);
    return slot;
  }
}
