/**
 * The numbers in a program that depend on the length and the capacity of its key-value caches.
 *
 * @module
 */
import { areAlike, numbersOf, type Recorded } from "./recorded.ts";
import type { Replayer } from "./replay.ts";

/** A number equal to base + perStep · (additional steps) + perCapacity · (additional capacity). */
interface Varying {
  readonly call: number;
  readonly at: number;
  readonly base: number;
  /** Changes the number in the program; made when it is first needed. */
  set?: ((value: number) => void) | undefined;
  perStep: number;
  perCapacity: number;
}

/**
 * How a program's numbers depend on its caches. All are affine in length and capacity, because operations that read
 * or extend a cache pass only sizes and offsets to their kernels. Two recordings at different lengths therefore
 * determine the slopes for all lengths.
 */
export class CacheNumbers<M> {
  readonly #recorded: Recorded<M>;
  readonly #length: number;
  readonly #capacity: number;
  #varying: Varying[] = [];
  #knowsSteps = false;
  #knowsCapacity = false;
  /** The length and capacity that the program is set to. */
  #lengthNow: number;
  #capacityNow: number;

  constructor(recorded: Recorded<M>) {
    this.#recorded = recorded;
    const { capacity, shape } = recorded.leaves[recorded.caches[0]];
    this.#length = this.#lengthNow = shape[1];
    this.#capacity = this.#capacityNow = capacity!;
  }

  /** Whether the numbers are known for caches of this length and capacity. */
  knows(length: number, capacity: number): boolean {
    return (length === this.#length || this.#knowsSteps) &&
      (capacity === this.#capacity || this.#knowsCapacity);
  }

  /** Learns the slopes from another recording. Returns false if the two differ in more than their caches. */
  learn(other: Recorded<M>): boolean {
    if (other.caches.length === 0 || !areAlike(other, this.#recorded)) return false;
    const leaf = other.leaves[other.caches[0]];
    const steps = leaf.shape[1] - this.#length, more = leaf.capacity! - this.#capacity;
    const slope = steps !== 0 && !this.#knowsSteps ? "perStep" : "perCapacity";
    const by = slope === "perStep" ? steps : more;
    // Two unknown slopes of one number can't be separated.
    if (slope === "perStep" ? more !== 0 && !this.#knowsCapacity : more === 0 || this.#knowsCapacity) {
      return false;
    }
    const known = new Map(this.#varying.map((varying) => [`${varying.call} ${varying.at}`, varying]));
    const found: Varying[] = [];
    const numbers = numbersOf(other.calls);
    let next = 0;
    for (const [call, { args }] of this.#recorded.calls.entries()) {
      for (const [at, base] of args.entries()) {
        if (typeof base !== "number") continue;
        const { perStep, perCapacity } = known.get(`${call} ${at}`) ?? { perStep: 0, perCapacity: 0 };
        const rest = numbers[next++] - (base + steps * perStep + more * perCapacity);
        if (rest % by !== 0) return false;
        const varying: Varying = { call, at, base, perStep, perCapacity };
        varying[slope] += rest / by;
        if (varying.perStep !== 0 || varying.perCapacity !== 0) found.push(varying);
      }
    }
    this.#varying = found;
    if (slope === "perStep") this.#knowsSteps = true;
    else this.#knowsCapacity = true;
    return true;
  }

  /** Goes back to the recorded numbers, for another program of the same recording. */
  reset(): void {
    for (const varying of this.#varying) varying.set = undefined;
    this.#lengthNow = this.#length;
    this.#capacityNow = this.#capacity;
  }

  /** Sets a program's numbers for caches of this length and capacity. */
  set(replayer: Replayer<M>, length: number, capacity: number): void {
    if (length === this.#lengthNow && capacity === this.#capacityNow) return;
    const steps = length - this.#length, more = capacity - this.#capacity;
    for (const varying of this.#varying) {
      const { call, at, base, perStep, perCapacity } = varying;
      varying.set ??= replayer.setterOf(call, at);
      varying.set(base + steps * perStep + more * perCapacity);
    }
    this.#lengthNow = length;
    this.#capacityNow = capacity;
  }
}
