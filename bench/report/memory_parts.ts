/**
 * The report's tables of memory.
 *
 * @module
 */
import { labelOf, type PresetName, ways } from "../subjects.ts";
import { articleAt } from "./article.ts";
import type { Part } from "./document.ts";
import { megabytes } from "./format.ts";
import { distinct, find } from "./lookup.ts";
import type { MemoryRow, Result } from "./result.ts";

/** The tables of a result's memory; none where it has none. */
export function memoryParts(result: Result): Part[] {
  if (result.memory.length === 0) return [];
  return [
    ...distinct(result.memory, "preset").map((preset) => totalPart(result, preset)),
    breakdownPart(result),
  ];
}

function totalPart({ memory, runtime }: Result, preset: PresetName): Part {
  const rows = memory.filter((row) => row.preset === preset);
  return {
    title: `Memory for a token, MB: ${preset}`,
    intro: [
      "Weights, state and the most that one token's activations take, as the backend counts them / the peak of a " +
      "fresh process that reads the context and decodes the token.",
    ],
    table: {
      columns: ["backend", "context", ...ways.map(labelOf), "article: RWKV", "LSTM", "Transformer"],
      rows: distinct(rows, "backend").flatMap((backend) =>
        distinct(rows, "length").map((length) => [
          backend,
          String(length),
          ...ways.map((way) => {
            const row = find(rows, { ...way, preset, backend, length });
            return row ? `${megabytes(row.totalBytes)} / ${megabytes(row.processBytes)}` : "-";
          }),
          ...articleColumns(length),
        ])
      ),
    },
    notes: [
      "A process's peak includes Deno, the compiled code, making the weights and the garbage not collected yet" +
      (runtime.processBytes === null
        ? "."
        : `; a process that only loads the library peaks at ${megabytes(runtime.processBytes)} MB.`),
    ],
    figure: preset === memory.at(-1)!.preset ? "memory.svg" : undefined,
  };
}

function articleColumns(length: number): string[] {
  const stated = articleAt(length)?.memory;
  return stated ? [stated.rwkv, stated.lstm, stated.transformer].map((mb) => mb.toFixed(1)) : ["-", "-", "-"];
}

function breakdownPart({ memory }: Result): Part {
  return {
    title: "What the memory is made of, MB",
    intro: [
      "State: what is kept from one token to the next; a key-value cache has room for exactly the context. " +
      "Activations: what a token holds on top at most, the state that it leaves included.",
    ],
    table: {
      columns: ["preset", "backend", "model", "context", "weights", "state", "activations", "total"],
      rows: memory.map((row: MemoryRow) => [
        row.preset,
        row.backend,
        labelOf(row),
        String(row.length),
        megabytes(row.weightBytes),
        megabytes(row.stateBytes),
        megabytes(row.activationBytes),
        megabytes(row.totalBytes),
      ]),
    },
  };
}
