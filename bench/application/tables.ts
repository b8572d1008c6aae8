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
    title: "Gaps between calls of a 1 ms timer, in ms",
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
      "Busy: the processor time of all threads of this process in a gap; if it is less than the gap, other processes had " +
      "the core. Most busy: the most of any gap. Spin: without the library, which shows the noise of the machine. Alone: " +
      "the time of the longest uninterrupted part: a token, a sequence forward, or forward and backward.",
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
    title: `Time until a signal at ${signalAfter} ms has aborted it, in ms after the start`,
    table: { columns: ["backend", "preset", "model", "doing", "median", "longest"], rows },
  };
}

export function loopPart(title: string, unit: string, found: readonly Measured<LoopRow>[]): Part {
  return {
    title,
    table: loopTable(unit, found),
    notes: [
      "The peak of each tenth of the run, in MiB. / first half: the peak of the second half relative to that of the first. " +
      "/ first tenth: the peak after the first tenth relative to that of the first tenth.",
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
