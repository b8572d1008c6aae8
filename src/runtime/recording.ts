/**
 * What a function computes, written down call by call: which kernels, on which blocks of memory, with which numbers.
 *
 * @module
 */
import type { DeviceTensor, StoreWatcher } from "../backends/tensor_store.ts";
import type { ListChecks } from "../number_lists.ts";

/** A block of memory that recorded calls work on, whichever it will be when they are replayed. */
export interface Slot {
  readonly index: number;
  /** In elements. */
  readonly size: number;
  /**
   * An argument of the function, or made while it ran; or holds the same numbers at every replay: what the function uploads, or
   * what it closes over.
   */
  readonly kind: "argument" | "made" | "uploaded" | "closure";
  /** How many calls came before it was made, and before it was released. */
  madeAt: number;
  releasedAt: number;
}

/** An argument of a kernel: memory, none, or a number. */
export type KernelArgument = Slot | number | null;

/** One call of a kernel. */
export interface Call {
  readonly kernel: string;
  readonly args: readonly KernelArgument[];
}

/** Numbers that must be 0 after a run, and what to throw where one is not. */
export interface Expectation {
  readonly slot: Slot;
  readonly size: number;
  readonly errorAt: (index: number) => Error;
}

/** How far a function appends to a tensor that it was given. */
export interface Growth {
  /** The number of steps in place. */
  steps: number;
  /** The number for which there was no room; 0: there always was. */
  tooMany: number;
}

/** Records what happens on a backend. */
export class Recording<M> implements StoreWatcher<M> {
  readonly slots: Slot[] = [];
  readonly calls: Call[] = [];
  readonly expectations: Expectation[] = [];
  /** What is checked of lists at every run. */
  readonly checks: ListChecks = { checks: [], failed: false };
  /** The tensors that the function is given. */
  readonly given = new Set<DeviceTensor<M>>();
  /** Why it can't be run again: it frees one of them, or appends in place to a cache that it closes over. */
  cannotRepeat = false;
  readonly growths = new Map<Slot, Growth>();
  /** The numbers of slots that are uploaded. */
  readonly uploads = new Map<Slot, ArrayLike<number>>();
  /** The tensors that the function closes over. */
  readonly closures = new Map<Slot, DeviceTensor<M>>();
  readonly #isMemory: (kernel: string, at: number, value: unknown) => boolean;
  /** The slot of a block, as long as that is not released. */
  readonly #slots = new Map<M, Slot>();

  constructor(isMemory: (kernel: string, at: number, value: unknown) => boolean) {
    this.#isMemory = isMemory;
  }

  /** The slot of a tensor that the function is given. */
  argument({ memory, size }: DeviceTensor<M>): Slot {
    return this.#add(memory, size, "argument");
  }

  /** The slot of a tensor of the function's. */
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
    // Another may have gone on from such a cache by the next run.
    this.cannotRepeat ||= slot?.kind === "closure" && isInPlace;
    if (slot?.kind !== "argument") return;
    const growth = this.growths.get(slot) ?? { steps: 0, tooMany: 0 };
    if (isInPlace) growth.steps += time;
    else growth.tooMany ||= growth.steps + time;
    this.growths.set(slot, growth);
  }

  /** Numbers were written to a block that was just made. */
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
    // Other calls may write to it, and it may be a result; else the copy is left out.
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
