/**
 * Describes the machine and the runtime of a measurement.
 *
 * @module
 */
import { cpus } from "node:os";
import { idleProcessBytes } from "./memory.ts";

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
}

interface Runtime {
  readonly deno: string;
  readonly v8: string;
  readonly typescript: string;
  /** The peak of a process that only loads the library; null if the system does not report it. */
  readonly processBytes: number | null;
}

/** The run of `deno task report` that a result is from. */
export interface Origin {
  /** ISO 8601 */
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly runtime: Runtime;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() || "unknown",
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
  };
}

export async function describeRuntime(): Promise<Runtime> {
  const { deno, v8, typescript } = Deno.version;
  return { deno, v8, typescript, processBytes: await idleProcessBytes() };
}
