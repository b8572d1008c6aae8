/**
 * Tables of measurements next to the article's numbers, with a sentence that compares them.
 *
 * @module
 */
import { type Cell, labelOf, modelNames, ways } from "../measure/subjects.ts";
import { article, articleAt, type Quantity } from "./article.ts";
import type { Table } from "./document.ts";
import { times } from "./format.ts";
import { distinct } from "./lookup.ts";

const nouns: Readonly<Record<Quantity, string>> = { latency: "time", memory: "memory" };
const decimals: Readonly<Record<Quantity, number>> = { latency: 2, memory: 1 };

/**
 * One row for each backend and context, one column for each way of decoding, and the article's columns; for cells
 * of one preset.
 */
export function articleTable<R extends Cell>(
  rows: readonly R[],
  quantity: Quantity,
  show: (row: R) => string,
): Table {
  const stated = (length: number) =>
    modelNames.map((model) => articleAt(length)?.[quantity][model].toFixed(decimals[quantity]) ?? "-");
  const [first, ...others] = modelNames.map((model) => labelOf({ model }));
  // The second column of a model only shows the mode.
  const names = ways.map((way, i) => way.model === ways[i - 1]?.model ? way.mode : labelOf(way));
  return {
    columns: ["backend", "context", ...names, `article: ${first}`, ...others],
    rows: distinct(rows, "backend").flatMap((backend) =>
      distinct(rows, "length").map((length) => {
        const own = rows.filter((row) => row.backend === backend && row.length === length);
        const shown = ways.map((way) =>
          own.find(({ model, mode }) => model === way.model && mode === way.mode)
        );
        return [backend, String(length), ...shown.map((row) => row ? show(row) : "-"), ...stated(length)];
      })
    ),
  };
}

/** The ratio of the Transformer to RWKV at the article's longest context, and how each grows up to it. */
export function verdict<R extends Cell>(
  rows: readonly R[],
  quantity: Quantity,
  valueOf: (row: R) => number,
): string {
  const [{ backend }] = rows;
  const short = article[0], long = article[article.length - 1];
  const at = (length: number) =>
    ways.map(({ model, mode }) =>
      valueOf(
        rows.find((row) =>
          row.backend === backend && row.length === length && row.model === model && row.mode === mode
        )!,
      )
    );
  const starts = at(short.length), ends = at(long.length);
  const [rwkv, , cached, full] = ends;
  const [ofRwkv, ofLstm, ofCached, ofFull] = ends.map((end, i) => times(end / starts[i]));
  const growth = modelNames.map((model) => times(long[quantity][model] / short[quantity][model]));
  const noun = nouns[quantity];
  return `On ${backend} at ${long.length} tokens the Transformer takes ${
    times(cached / rwkv)
  } RWKV's ${noun} with ` +
    `a cache and ${times(full / rwkv)} without one (article: ${
      times(long[quantity].transformer / long[quantity].rwkv)
    }); from ${short.length} to ${long.length} tokens RWKV's ${noun} grows ${ofRwkv}, the LSTM's ${ofLstm}, the ` +
    `Transformer's ${ofCached} and ${ofFull} (article: ${growth.join(", ")}).`;
}
