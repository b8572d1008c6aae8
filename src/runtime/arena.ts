/**
 * The memory of temporaries: the tensors that recorded calls make and the function does not return. All programs of
 * a backend share it, since only one runs at a time.
 *
 * @module
 */
import type { DeviceTensor, TensorStore } from "../backends/tensor_store.ts";
import type { Slot } from "./recording.ts";

/** A position in the arena: the block with this number among those of this size. */
export interface Place {
  readonly size: number;
  readonly number: number;
}

/**
 * Assigns each slot a place. Two slots share a place unless their lifetimes overlap.
 *
 * @param sizeFor maps a number of elements to the size of the smallest block that holds them
 */
export function planPlaces(slots: readonly Slot[], sizeFor: (size: number) => number): Map<Slot, Place> {
  const places = new Map<Slot, Place>();
  /** For each size, the blocks that are free again and the number of blocks in all. */
  const blocks = new Map<number, { free: number[]; count: number }>();
  const held: Slot[] = [];
  for (const slot of [...slots].sort((a, b) => a.madeAt - b.madeAt || a.index - b.index)) {
    for (let i = held.length - 1; i >= 0; i--) {
      // A slot released before a call is free for what that call makes.
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

/** A block, and the number of temporaries, over all programs, that are placed in it. */
interface Block<M> {
  readonly tensor: DeviceTensor<M>;
  users: number;
}

/** The blocks of one backend. */
export class Arena<M> {
  readonly #store: TensorStore<M>;
  /** By size and number. */
  readonly #blocks = new Map<number, (Block<M> | undefined)[]>();
  /** Whether a program that lets the event loop turn is under way. */
  isInUse = false;

  constructor(store: TensorStore<M>) {
    this.#store = store;
  }

  /** Returns the block of a place, and allocates it if no program uses it yet. */
  take({ size, number }: Place): M {
    let blocks = this.#blocks.get(size);
    if (blocks === undefined) this.#blocks.set(size, blocks = []);
    const block = blocks[number] ??= { tensor: this.#store.makeOutside([size]), users: 0 };
    block.users++;
    return block.tensor.memory;
  }

  /** Releases places, each once for every time it was taken. A block that no program uses any more is freed. */
  release(places: readonly Place[]): void {
    for (const { size, number } of places) {
      const blocks = this.#blocks.get(size)!, block = blocks[number]!;
      if (--block.users > 0) continue;
      this.#store.free(block.tensor);
      blocks[number] = undefined;
    }
  }
}
