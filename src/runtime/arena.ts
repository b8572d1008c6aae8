/**
 * The memory of temporaries: what recorded calls make, and the function does not return. All programs of a backend share it, since one
 * runs at a time.
 *
 * @module
 */
import type { DeviceTensor, TensorStore } from "../backends/tensor_store.ts";
import type { Slot } from "./recording.ts";

/** A place in the arena: the block of that number among those of that size. */
export interface Place {
  readonly size: number;
  readonly number: number;
}

/**
 * Where each slot goes: two slots share a place unless one is made while the other is held.
 *
 * @param sizeFor from a number of elements to the size of the smallest block that has room for them
 */
export function planPlaces(slots: readonly Slot[], sizeFor: (size: number) => number): Map<Slot, Place> {
  const places = new Map<Slot, Place>();
  /** Of each size, the blocks that are free again and how many there are. */
  const blocks = new Map<number, { free: number[]; count: number }>();
  const held: Slot[] = [];
  for (const slot of [...slots].sort((a, b) => a.madeAt - b.madeAt || a.index - b.index)) {
    for (let i = held.length - 1; i >= 0; i--) {
      // What was released before a call was made is free for what is made now.
      if (held[i].releasedAt > slot.madeAt) continue;
      const { size, number } = places.get(held[i])!;
      blocks.get(size)!.free.push(number);
      held.splice(i, 1);
    }
    const size = sizeFor(slot.size);
    let block = blocks.get(size);
    if (block === undefined) blocks.set(size, block = { free: [], count: 0 });
    places.set(slot, { size, number: block.free.pop() ?? block.count++ });
    held.push(slot);
  }
  return places;
}

/** A block, and how many temporaries of how many programs it holds. */
interface Block<M> {
  readonly tensor: DeviceTensor<M>;
  users: number;
}

/** The blocks of one backend. */
export class Arena<M> {
  readonly #store: TensorStore<M>;
  /** By their sizes and numbers. */
  readonly #blocks = new Map<number, (Block<M> | undefined)[]>();
  /** Whether a program that lets the event loop turn has not come to its end. */
  isInUse = false;

  constructor(store: TensorStore<M>) {
    this.#store = store;
  }

  /** The block of a place, made where nobody has it yet. */
  take({ size, number }: Place): M {
    let blocks = this.#blocks.get(size);
    if (blocks === undefined) this.#blocks.set(size, blocks = []);
    const block = blocks[number] ??= { tensor: this.#store.makeOutside([size]), users: 0 };
    block.users++;
    return block.tensor.memory;
  }

  /** Gives back places, one for each time that they were taken; a block that nobody has any more is freed. */
  release(places: readonly Place[]): void {
    for (const { size, number } of places) {
      const blocks = this.#blocks.get(size)!, block = blocks[number]!;
      if (--block.users > 0) continue;
      this.#store.free(block.tensor);
      blocks[number] = undefined;
    }
  }
}
