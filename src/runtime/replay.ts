/**
 * Replays recorded calls on the memory that their slots are bound to.
 *
 * @module
 */
import type { Call } from "./recording.ts";

/** Runs recorded calls. */
export interface Replayer<M> {
  /** Binds a slot to memory. */
  bind(slot: number, memory: M): void;
  /** Returns a function that changes a number among the arguments of a call. */
  setterOf(call: number, at: number): (value: number) => void;
  /** Runs the calls from `from` up to, but not including, `to`. */
  run(from: number, to: number): void;
  /** Frees its own memory. */
  free(): void;
}

/** Runs the calls one by one, on a device whose kernels are JavaScript functions. */
export function replayInLoop<M>(
  calls: readonly Call[],
  kernels: Readonly<Record<string, (...args: never[]) => void>>,
): Replayer<M> {
  /** For each slot, where it occurs among the arguments. */
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
