/**
 * The report's tables of memory.
 *
 * @module
 */
import type { MemoryRow } from "../measure/memory.ts";
import { labelOf, type PresetName } from "../measure/subjects.ts";
import { articleTable } from "./article_table.ts";
import type { Part } from "./document.ts";
import { megabytes } from "./format.ts";
import { distinct } from "./lookup.ts";
import { runOf } from "./merge.ts";
import type { Result } from "./result.ts";

/** The tables of a result's memory; empty if there are none. */
export function memoryParts(result: Result): Part[] {
  if (result.memory.length === 0) return [];
  return [
    ...distinct(result.memory, "preset").map((preset, i) => totalPart(result, preset, i === 0)),
    breakdownPart(result),
  ];
}

function totalPart(result: Result, preset: PresetName, first: boolean): Part {
  const { memory } = result;
  const { runtime } = runOf(result, "memory");
  const rows = memory.filter((row) => row.preset === preset);
  return {
    title: `Memory for a token, MB: ${preset}`,
    intro: first
      ? [
        "Weights, state and the peak of one token's activations, as counted by the backend / the peak of a new " +
        "process that loads the weights, reads the context and decodes the token.",
        "A process's peak includes Deno, the compiled code and uncollected garbage" +
        (runtime.processBytes === null
          ? "."
          : `; a process that only loads the library peaks at ${megabytes(runtime.processBytes)} MB.`),
      ]
      : [],
    table: articleTable(
      rows,
      "memory",
      ({ totalBytes, processBytes }) => `${megabytes(totalBytes)} / ${megabytes(processBytes)}`,
    ),
    figure: preset === memory.at(-1)!.preset ? "memory.svg" : undefined,
  };
}

function breakdownPart({ memory }: Result): Part {
  return {
    title: "The parts of the memory, MB",
    intro: [
      "State: kept from one token to the next; a key-value cache has a capacity of exactly the context. " +
      "Activations: the peak of a token's additional memory, including the next state.",
    ],
    table: {
      columns: ["preset", "backend", "model", "context", "weights", "state", "activations", "total"],
      rows: runsOf(memory).map(([first, last]) => [
        first.preset,
        first.backend,
        labelOf(first),
        first === last ? String(first.length) : `${first.length} to ${last.length}`,
        megabytes(first.weightBytes),
        megabytes(first.stateBytes),
        megabytes(first.activationBytes),
        megabytes(first.totalBytes),
      ]),
    },
  };
}

/** The first and the last row of each run of consecutive rows of one way with the same bytes. */
function runsOf(rows: readonly MemoryRow[]): [first: MemoryRow, last: MemoryRow][] {
  const runs: [MemoryRow, MemoryRow][] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    if (run !== undefined && sameBytes(run[0], row)) run[1] = row;
    else runs.push([row, row]);
  }
  return runs;
}

function sameBytes(a: MemoryRow, b: MemoryRow): boolean {
  return a.preset === b.preset && a.backend === b.backend && labelOf(a) === labelOf(b) &&
    a.weightBytes === b.weightBytes && a.stateBytes === b.stateBytes &&
    a.activationBytes === b.activationBytes;
}
