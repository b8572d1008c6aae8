/**
 * Replays recorded calls on a GPU by repeating the dispatches of a kernel without running its JavaScript.
 *
 * @module
 */
import type { Call } from "../../runtime/recording.ts";
import type { Replayer } from "../../runtime/replay.ts";
import type { GpuBlock, GpuQueue, Prepared } from "./gpu.ts";

type Kernel = (...args: unknown[]) => void;

/** A call and its last dispatches. */
interface Step {
  readonly kernel: Kernel;
  readonly args: unknown[];
  /**
   * Undefined: unknown, or outdated because a number changed. Null: the kernel uses scratch memory and runs every
   * time.
   */
  prepared: readonly Prepared[] | null | undefined;
  /** Whether its blocks were rebound since. */
  isRebound: boolean;
}

/** Replays the calls one by one. Pipelines, uniform values and bind groups are reused unless a slot was rebound. */
export function replayOnGpu(
  calls: readonly Call[],
  kernels: Readonly<Record<string, Kernel>>,
  queue: GpuQueue,
): Replayer<GpuBlock> {
  /** For each slot, where it occurs among the arguments. */
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
      if (to - from < steps.length) queue.submitPart();
    },
    free() {},
  };
}
