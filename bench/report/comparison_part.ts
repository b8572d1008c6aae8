/**
 * The report's table "RWKV against Transformer".
 *
 * @module
 */
import { type Cell, presetNames } from "../measure/subjects.ts";
import { articleAt } from "./article.ts";
import type { Part } from "./document.ts";
import { times } from "./format.ts";
import { distinct, find } from "./lookup.ts";
import { runOf } from "./merge.ts";
import type { Result } from "./result.ts";

/**
 * The Transformer's time and memory relative to RWKV's, next to the article's; empty if neither was measured.
 *
 * @param articleParameters the numbers of parameters of the models in the article's sizes
 */
export function comparisonParts(result: Result, articleParameters: readonly number[]): Part[] {
  const { latency, memory } = result;
  const cells: readonly Cell[] = latency.length > 0 ? latency : memory;
  if (cells.length === 0) return [];
  const { machine } = runOf(result, latency.length > 0 ? "latency" : "memory");
  const millions = (count: number) => (count / 1e6).toFixed(2);
  return [{
    title: "RWKV against Transformer",
    intro: [
      "The Transformer's time and memory relative to RWKV's, with a cache and with full recomputation. " +
      "Without weights: only state and activations, the part of the memory that grows.",
    ],
    table: {
      columns: [
        "preset",
        "backend",
        "context",
        "time: cached",
        "time: full",
        "time: article",
        "memory: cached",
        "memory: full",
        "memory: article",
        "without weights: cached",
        "without weights: full",
      ],
      rows: distinct(cells, "preset").flatMap((preset) =>
        distinct(cells, "backend").flatMap((backend) =>
          distinct(cells, "length").map((length) => {
            const at = { preset, backend, length };
            const stated = articleAt(length);
            return [
              preset,
              backend,
              String(length),
              ...ratios(latency, at, (row) => row.medianMs),
              stated ? times(stated.latency.transformer / stated.latency.rwkv) : "-",
              ...ratios(memory, at, (row) => row.totalBytes),
              stated ? times(stated.memory.transformer / stated.memory.rwkv) : "-",
              ...ratios(memory, at, (row) => row.stateBytes + row.activationBytes),
            ];
          })
        )
      ),
    },
    notes: [
      'The article is "Deconstructing RWKV, Part 3": 3.2 times faster and 5.3 times less memory at 256 tokens. How its ' +
      "set-up differs from this one:",
      `- Parameters: it states about 50 thousand per model, but the sizes that it gives result in ${
        millions(Math.min(...articleParameters))
      } to ${millions(Math.max(...articleParameters))} million; ${
        presetNames.join(" and ")
      } have the sizes as given, and the number of parameters as stated.`,
      "- Cache: it does not say whether its Transformer kept one, and its times look like recomputing the context for " +
      "each token; here both are measured.",
      "- Time: its machine and software are not stated, and at this size a framework's overhead can be most of a " +
      `token; here it is this library on ${machine.cpu}, on one core.`,
      "- Memory: it does not say what it counts, and its RWKV takes several times its weights; here it is weights, " +
      "state and the activations of one token, and the peak of a whole process is in a separate table.",
      "- Task: it does not say what its patterns are; here the sequences are this library's synthetic task, though " +
      "time and memory do not depend on them.",
    ],
  }];
}

/** Cached and full, relative to RWKV. */
function ratios<R extends Cell>(
  rows: readonly R[],
  at: Pick<Cell, "preset" | "backend" | "length">,
  valueOf: (row: R) => number,
): string[] {
  const rwkv = find(rows, { ...at, model: "rwkv", mode: "recurrent" });
  return (["cached", "full"] as const).map((mode) => {
    const row = find(rows, { ...at, model: "transformer", mode });
    return row && rwkv ? times(valueOf(row) / valueOf(rwkv)) : "-";
  });
}
