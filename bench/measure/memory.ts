/**
 * The memory of a token: the backend's own count, and the peak of a fresh process for each cell.
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

/** What the backend's count says of a token. */
export interface MemoryCount {
  readonly weightBytes: number;
  /** What is kept between tokens. */
  readonly stateBytes: number;
  /** The most that a token held on top of the two, the state that it leaves included. */
  readonly activationBytes: number;
  readonly totalBytes: number;
}

/** The peak of a process. */
export interface ProcessPeak {
  /** null where the system doesn't tell. */
  readonly processBytes: number | null;
}

/** The memory of a token; the process is a fresh one that decodes the context and the token. */
export interface MemoryRow extends Cell, MemoryCount, ProcessPeak {}

/**
 * Counts a token on a backend that holds a subject's parameters and nothing else: its weights, the state on top of them,
 * a key-value cache with room for exactly the context, and the most that a step held on top of both, its logits and next
 * state included.
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

/** What a backend counts of a preset's models in every way at every length. */
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

/** Measures every model in every way at every length on all backends, a process each. */
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
  // Parameters come from files, as a program that decodes has them: making them takes more memory than a token.
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

/** The peak of a process that loads the library and does nothing: what of every other peak is not the model. */
export async function idleProcessBytes(): Promise<number | null> {
  return (await inFreshProcess()).processBytes;
}

async function inFreshProcess(...args: string[]): Promise<ProcessPeak> {
  return JSON.parse(await outputOf(denoRun(new URL("memory_process.ts", import.meta.url), ...args)));
}
