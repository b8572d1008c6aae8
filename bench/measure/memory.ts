/**
 * The memory of a token: the backend's own count, and the peak of a new process for each cell.
 *
 * @module
 */
import { createReference, saveTree } from "@seqmix/seqmix";
import { openBackend } from "./backends.ts";
import { denoRun, outputOf } from "./process.ts";
import {
  type Cell,
  checkLogits,
  makeSubject,
  type Mode,
  modelNames,
  type PresetName,
  Step,
  type Subject,
  taskSequence,
  ways,
} from "./subjects.ts";
import type { Progress } from "./timer.ts";

/** The memory of a token as counted by the backend. */
interface MemoryCount {
  readonly weightBytes: number;
  /** The state between tokens. */
  readonly stateBytes: number;
  /** The peak of the memory of a token in addition to the two, including the state after it. */
  readonly activationBytes: number;
  readonly totalBytes: number;
}

/** The peak of a process. */
export interface ProcessPeak {
  /** null if the system does not report it. */
  readonly processBytes: number | null;
}

/** The memory of a token; the process is a new one that decodes the context and the token. */
export interface MemoryRow extends Cell, MemoryCount, ProcessPeak {}

/**
 * Counts the memory of a token on a backend that holds only a subject's parameters: the weights, the state (a
 * key-value cache with a capacity of exactly the context), and the peak of a step in addition to both, including
 * its logits and next state.
 */
export async function countMemory(subject: Subject, mode: Mode, length: number): Promise<MemoryCount> {
  const { backend } = subject;
  const weightBytes = backend.memory().bytes;
  using step = new Step(subject, mode, taskSequence(length));
  const held = backend.memory().bytes;
  backend.resetPeak();
  const logits = await step.nextLogits();
  const { peakBytes } = backend.memory();
  checkLogits(`${subject.model.name} on ${backend.name}`, logits, logits); // are finite
  return {
    weightBytes,
    stateBytes: held - weightBytes,
    activationBytes: peakBytes - held,
    totalBytes: peakBytes,
  };
}

/** The counts of a backend for a preset's models in every mode at every length. */
export async function countAll(
  backendName: string,
  preset: PresetName,
  lengths: readonly number[],
): Promise<(Cell & MemoryCount)[]> {
  const rows: (Cell & MemoryCount)[] = [];
  for (const model of modelNames) {
    using backend = await openBackend(backendName);
    const subject = await makeSubject(preset, model, backend);
    for (const { mode } of ways.filter((way) => way.model === model)) {
      for (const length of lengths) {
        const count = await countMemory(subject, mode, length);
        rows.push({ preset, model, mode, backend: backendName, length, ...count });
      }
    }
  }
  return rows;
}

/** Measures every model in every mode at every length on all backends, each in a new process. */
export async function measureMemory(
  backends: readonly string[],
  presets: readonly PresetName[],
  lengths: readonly number[],
  progress: Progress = () => {},
): Promise<MemoryRow[]> {
  const cells = presets.flatMap((preset) =>
    backends.flatMap((backend) =>
      ways.flatMap(({ model, mode }) => lengths.map((length) => ({ preset, model, mode, backend, length })))
    )
  );
  // Parameters are read from files, as in a program that only decodes: creating them takes more memory than a
  // token.
  const folder = await Deno.makeTempDir({ prefix: "seqmix-" });
  const fileOf = ({ preset, model }: Pick<Cell, "preset" | "model">) => `${folder}/${preset}-${model}`;
  try {
    for (const preset of presets) {
      for (const model of modelNames) {
        using backend = createReference();
        const { params } = await makeSubject(preset, model, backend);
        await Deno.writeFile(fileOf({ preset, model }), saveTree(params));
      }
    }
    const rows: MemoryRow[] = [];
    for (const cell of cells) {
      const measured = await inFreshProcess(JSON.stringify(cell), fileOf(cell));
      rows.push({ ...cell, ...measured as MemoryCount & ProcessPeak });
      progress(rows.length, cells.length);
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The peak of a process that only loads the library: the share of every other peak that is not the model's. */
export async function idleProcessBytes(): Promise<number | null> {
  return (await inFreshProcess()).processBytes;
}

async function inFreshProcess(...args: string[]): Promise<ProcessPeak> {
  return JSON.parse(await outputOf(denoRun(new URL("memory_process.ts", import.meta.url), ...args)));
}
