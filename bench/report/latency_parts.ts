/**
 * The report's tables of time.
 *
 * @module
 */
import type { LatencyRow } from "../measure/latency.ts";
import { labelOf, type PresetName, ways } from "../measure/subjects.ts";
import { articleTable } from "./article_table.ts";
import type { Part } from "./document.ts";
import { digits, times } from "./format.ts";
import { distinct, find } from "./lookup.ts";
import type { Result } from "./result.ts";

/** The tables of a result's latencies; empty if there are none. */
export function latencyParts(result: Result): Part[] {
  if (result.latency.length === 0) return [];
  return [
    ...distinct(result.latency, "preset").map((preset, i) => presetPart(result, preset, i === 0)),
    growthPart(result),
  ];
}

function presetPart({ latency }: Result, preset: PresetName, first: boolean): Part {
  const rows = latency.filter((row) => row.preset === preset);
  const few = rows.filter((row) => row.p99Ms === null);
  const fewest = few.reduce((least, { samples }) => Math.min(least, samples), Infinity);
  return {
    title: `Time per token, ms: ${preset}`,
    intro: first
      ? [
        "Median / 99th percentile of the time of a token at the end of the context, all timed in one run, in random " +
        "order in each round. Full: the Transformer runs the whole context again for each token; cached: it keeps keys " +
        "and values.",
      ]
      : [],
    table: articleTable(rows, "latency", showTimes),
    notes: few.length === 0 ? [] : [
      `A dash instead of the 99th percentile: fewer than 100 samples (at least ${fewest}), since each is slow.`,
    ],
    figure: preset === latency.at(-1)!.preset ? "latency.svg" : undefined,
  };
}

function showTimes({ medianMs, p99Ms }: LatencyRow): string {
  return `${digits(medianMs)} / ${p99Ms === null ? "-" : digits(p99Ms)}`;
}

function growthPart({ latency }: Result): Part {
  const lengths = distinct(latency, "length");
  return {
    title: "How the time grows with the context",
    intro: [
      `The medians over the contexts ${
        lengths.join(", ")
      }. A model with a state of constant size stays at 1.00x ` +
      "except for noise; up to 1.05x counts as constant.",
    ],
    table: {
      columns: ["preset", "backend", "model", "fastest, ms", "slowest, ms", "slowest / fastest"],
      rows: distinct(latency, "preset").flatMap((preset) =>
        distinct(latency, "backend").flatMap((backend) =>
          ways.map((way) => {
            const medians = lengths.map((length) =>
              find(latency, { ...way, preset, backend, length })!.medianMs
            );
            const fastest = Math.min(...medians), slowest = Math.max(...medians);
            return [
              preset,
              backend,
              labelOf(way),
              digits(fastest),
              digits(slowest),
              times(slowest / fastest),
            ];
          })
        )
      ),
    },
  };
}
