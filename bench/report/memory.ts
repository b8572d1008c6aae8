/**
 * The memory of a token: the backend's own count, and the peak of a fresh process for each cell.
 *
 * @module
 */
import { createReference, saveTree } from "@seqmix/seqmix";
import { type Cell, makeSubject, modelNames, type PresetName, ways } from "../subjects.ts";
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

interface ProcessPeak {
  readonly processBytes: number | null;
}

async function inFreshProcess(...args: string[]): Promise<ProcessPeak> {
  const child = new URL("./child.ts", import.meta.url).href;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  if (!success) {
    throw new Error(
      `Cannot measure memory: process ${args.join(" ")} must succeed, current error is ${
        text.decode(stderr).trim()
      }`,
    );
  }
  return JSON.parse(text.decode(stdout));
}
