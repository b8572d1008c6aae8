/**
 * Recorded calls run again, on whatever memory their slots are bound to.
 *
 * @module
 */
import type { Call } from "./recording.ts";

/** Runs recorded calls. */
export interface Replayer<M> {
  /** Puts memory into a slot. */
  bind(slot: number, memory: M): void;
  /** What changes a number that a call is told. */
  setterOf(call: number, at: number): (value: number) => void;
  /** Runs the calls `from .. to`. */
  run(from: number, to: number): void;
  /** Gives back what it took. */
  free(): void;
}

/** Runs the calls one by one, on a device whose kernels are functions of JavaScript. */
export function replayInLoop<M>(
  calls: readonly Call[],
  kernels: Readonly<Record<string, (...args: never[]) => void>>,
): Replayer<M> {
  /** Of each slot, its places among the arguments. */
  const places: { readonly args: unknown[]; readonly at: number }[][] = [];
  const steps = calls.map((call) => {
    const args: unknown[] = [...call.args];
    call.args.forEach((arg, at) => {
      if (typeof arg === "object" && arg !== null) (places[arg.index] ??= []).push({ args, at });
    });
    return { kernel: kernels[call.kernel] as (...args: unknown[]) => void, args };
  });
  return {
    bind(slot, memory) {
      for (const { args, at } of places[slot] ?? []) args[at] = memory;
    },
    setterOf: (call, at) => (value) => steps[call].args[at] = value,
    run(from, to) {
      for (let i = from; i < to; i++) steps[i].kernel(...steps[i].args);
    },
    free() {},
  };
}
