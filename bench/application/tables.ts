/**
 * The results as tables.
 *
 * @module
 */
import type { Part, Table } from "../report/document.ts";
import { digits } from "../report/format.ts";
import { labelOf } from "../measure/subjects.ts";
import { type AbortRow, signalAfter } from "./aborts.ts";
import { countedAbove } from "./gap_meter.ts";
import type { GapRow } from "./gaps.ts";
import type { LoopRow } from "./loops.ts";
import { highest, restOverFirst, secondHalfOverFirst } from "./peaks.ts";
import type { Request } from "./request.ts";

/** A request and its result. */
export type Measured<Result> = readonly [request: Request, result: Result];

export function gapsPart(found: readonly Measured<readonly GapRow[]>[]): Part {
  const rows = found.flatMap(([{ backend, preset, model }, result]) =>
    result.map((row) => [
      backend,
      preset,
      labelOf({ model }),
      row.doing,
      row.tokensPerS === null ? "-" : row.tokensPerS.toFixed(0),
      row.longest.map(({ ms }) => ms.toFixed(0)).join(" "),
      row.longest.map(({ busyMs }) => busyMs.toFixed(0)).join(" "),
      row.mostBusyMs.toFixed(0),
      `${whole(row.above)} of ${whole(row.count)}`,
      whole(row.busyAbove),
      row.unitMs === null ? "-" : `${row.unit} ${digits(row.unitMs)}`,
    ])
  );
  return {
    title: "Gaps between the turns of a timer of 1 ms, in ms",
    table: {
      columns: [
        "backend",
        "preset",
        "model",
        "doing",
        "tokens/s",
        "longest",
        "busy in those",
        "most busy",
        `above ${countedAbove}`,
        "busy above",
        "alone",
      ],
      rows,
    },
    notes: [
      "Busy is the processor time of all threads of this process in a gap: where it is less than the gap, others had the " +
      "core. Most busy is the most of any gap. Spinning does without the library: it shows what the machine adds. Alone is " +
      "the longest part that is not interrupted: a token, a sequence forward, or forward and backward.",
    ],
  };
}

export function abortsPart(found: readonly Measured<readonly AbortRow[]>[]): Part {
  const rows = found.flatMap(([{ backend, preset, model }, result]) =>
    result.map(({ doing, medianMs, longestMs }) => [
      backend,
      preset,
      labelOf({ model }),
      doing,
      medianMs.toFixed(0),
      longestMs.toFixed(0),
    ])
  );
  return {
    title: `Until a signal of ${signalAfter} ms has ended it, in ms after the start`,
    table: { columns: ["backend", "preset", "model", "doing", "median", "longest"], rows },
  };
}

export function loopPart(title: string, unit: string, found: readonly Measured<LoopRow>[]): Part {
  return {
    title,
    table: loopTable(unit, found),
    notes: [
      "MiB, the highest in each tenth of the run. First half and first tenth: what is highest in the second half and behind the " +
      "first tenth, in parts of what is highest in those.",
    ],
  };
}

function loopTable(unit: string, found: readonly Measured<LoopRow>[]): Table {
  return {
    columns: [
      "backend",
      "of",
      unit,
      `${unit}/s`,
      "each tenth",
      "highest",
      "/ first half",
      "/ first tenth",
    ],
    rows: found.flatMap(([{ backend }, result]) => {
      const row = (of: string, tenths: readonly (number | null)[], peak: number | null) => [
        backend,
        of,
        whole(result.steps),
        result.stepsPerS.toFixed(0),
        tenths.map(mebibytes).join(" "),
        mebibytes(peak),
        ratio(secondHalfOverFirst(tenths)),
        ratio(restOverFirst(tenths)),
      ];
      const { residentTenths, backendTenths, processPeak } = result;
      return [
        row("process", residentTenths, processPeak ?? highest(residentTenths)),
        row("backend", backendTenths, highest(backendTenths)),
      ];
    }),
  };
}

function whole(count: number): string {
  return count.toLocaleString("en", { maximumFractionDigits: 0 });
}

function ratio(value: number | null): string {
  return value === null ? "-" : value.toFixed(2);
}

function mebibytes(bytes: number | null): string {
  return bytes === null ? "-" : (bytes / 2 ** 20).toFixed(0);
}
