/**
 * Recorded calls on a GPU: what a kernel dispatched is dispatched again, without going through the kernel.
 *
 * @module
 */
import type { Call } from "../../runtime/recording.ts";
import type { Replayer } from "../../runtime/replay.ts";
import type { GpuBlock, GpuQueue, Prepared } from "./gpu.ts";

type Kernel = (...args: unknown[]) => void;

/** A call, and what it dispatched the last time. */
interface Step {
  readonly kernel: Kernel;
  readonly args: unknown[];
  /** Undefined: that is not known, or not of these numbers; null: it borrows memory, and goes through the kernel each time. */
  prepared: readonly Prepared[] | null | undefined;
  /** Whether other blocks were bound since. */
  isRebound: boolean;
}

/** Runs the calls one by one; pipelines, uniform values and bind groups stay what they were where nothing else was bound. */
export function replayOnGpu(
  calls: readonly Call[],
  kernels: Readonly<Record<string, Kernel>>,
  queue: GpuQueue,
): Replayer<GpuBlock> {
  /** Of each slot, its places among the arguments. */
  const places: { readonly step: Step; readonly at: number }[][] = [];
  const steps = calls.map((call) => {
    const step: Step = {
      kernel: kernels[call.kernel],
      args: [...call.args],
      prepared: undefined,
      isRebound: false,
    };
    call.args.forEach((arg, at) => {
      if (typeof arg === "object" && arg !== null) (places[arg.index] ??= []).push({ step, at });
    });
    return step;
  });

  function run(step: Step): void {
    const { kernel, args } = step;
    if (step.prepared === undefined) step.prepared = queue.prepare(() => kernel(...args), args);
    else if (step.prepared === null) kernel(...args);
    else for (const prepared of step.prepared) queue.dispatchAgain(prepared, step.isRebound ? args : null);
    step.isRebound = false;
  }

  return {
    bind(slot, memory) {
      for (const { step, at } of places[slot] ?? []) {
        step.args[at] = memory;
        step.isRebound = true;
      }
    },
    setterOf(call, at) {
      const step = steps[call];
      return (value) => {
        step.args[at] = value;
        if (step.prepared !== null) step.prepared = undefined;
      };
    },
    run(from, to) {
      for (let i = from; i < to; i++) run(steps[i]);
    },
    free() {},
  };
}
