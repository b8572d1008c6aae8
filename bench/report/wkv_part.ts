/**
 * The report's table of the WKV scan.
 *
 * @module
 */
import { nameOf } from "../wkv/shapes.ts";
import type { WkvRow } from "../wkv/measure.ts";
import type { Part, Table } from "./document.ts";
import { digits, times } from "./format.ts";
import type { Result } from "./result.ts";

/** The report's part on WKV scans; empty if there are none. */
export function wkvParts({ wkv, wkvNotes }: Pick<Result, "wkv" | "wkvNotes">): Part[] {
  if (wkv.length === 0) return [];
  return [{
    title: "The WKV scan",
    intro: [
      "Serial: step by step, in parallel only over channels. Chunked: in parallel over time as well; the steps are read " +
      "twice. + gradient: the scan, and then all gradients of its inputs from that of y. Copy: reads and writes as many " +
      "elements as a tensor has, which shows the bandwidth of the memory. Nominal GB/s: for each step and channel, the 12 " +
      "bytes that every scan has to move, or the 32 with its gradient. Traffic: all bytes that the kernel reads and " +
      "writes. Values above the copy of a large tensor come from caches.",
    ],
    table: wkvTable(wkv),
    notes: wkvNotes,
  }];
}

/** Time, and nominal and real GB/s, of each kernel at each shape. */
export function wkvTable(rows: readonly WkvRow[]): Table {
  return {
    columns: [
      "B×T×C",
      "kernel",
      "median, ms",
      "nominal, GB/s",
      "traffic, GB/s",
      "traffic / copy",
      "serial / this",
    ],
    rows: rows.map((row) => {
      const beside = (kernel: string) =>
        rows.find((other) =>
          other.backend === row.backend && other.kernel === kernel && nameOf(other) === nameOf(row)
        );
      const copy = beside("copy"), serial = beside(row.kernel.replace("chunked", "serial"));
      return [
        nameOf(row),
        `${row.backend} ${row.kernel}`,
        digits(row.medianMs),
        digits(row.gbPerS),
        digits(row.trafficGbPerS),
        copy === undefined ? "-" : `${Math.round(100 * row.trafficGbPerS / copy.trafficGbPerS)}%`,
        row.kernel.startsWith("chunked") && serial !== undefined
          ? times(serial.medianMs / row.medianMs)
          : "-",
      ];
    }),
  };
}
