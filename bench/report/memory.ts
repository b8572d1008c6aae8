/**
 * The memory of a token: the backend's own count, and the peak of a fresh process for each cell.
 *
 * @module
 */
import { type Cell, type PresetName, ways } from "../subjects.ts";
import type { MemoryCount, MemoryRow } from "./result.ts";

/** Measures every model in every way at every length on all backends, a process each. */
export async function measureMemory(
  backends: readonly string[],
  presets: readonly PresetName[],
  lengths: readonly number[],
  progress: (done: number, total: number) => void = () => {},
): Promise<MemoryRow[]> {
  const cells = presets.flatMap((preset) =>
    backends.flatMap((backend) =>
      ways.flatMap(({ model, mode }) => lengths.map((length) => ({ preset, model, mode, backend, length })))
    )
  );
  const rows: MemoryRow[] = [];
  for (const [i, cell] of cells.entries()) {
    rows.push({ ...cell, ...await inFreshProcess(cell) as MemoryCount & ProcessPeak });
    progress(i + 1, cells.length);
  }
  return rows;
}

/** The peak of a process that loads the library and does nothing: what of every other peak is not the model. */
export async function idleProcessBytes(): Promise<number | null> {
  return (await inFreshProcess()).processBytes;
}

interface ProcessPeak {
  readonly processBytes: number | null;
}

async function inFreshProcess(cell?: Cell): Promise<ProcessPeak> {
  const child = new URL("./child.ts", import.meta.url).href;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, ...cell === undefined ? [] : [JSON.stringify(cell)]],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  if (!success) {
    throw new Error(
      `Cannot measure memory: the process of ${JSON.stringify(cell)} must end well, current ` +
        `output is ${text.decode(stderr).trim()}`,
    );
  }
  return JSON.parse(text.decode(stdout));
}
