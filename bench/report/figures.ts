/**
 * The report's figures.
 *
 * @module
 */
import { type Cell, labelOf, type Mode, type ModelName, modelNames, ways } from "../measure/subjects.ts";
import { article, type Quantity } from "./article.ts";
import { comparisonsOf } from "../training/comparison.ts";
import { drawFigure, type Panel } from "./line_figure.ts";
import { distinct } from "./lookup.ts";
import { toPng } from "./png.ts";
import type { Result } from "./result.ts";
import { drawTraining } from "./training_figure.ts";
import { figureName } from "./training_parts.ts";

const colors: Readonly<Record<`${ModelName}-${Mode}`, string>> = {
  "rwkv-recurrent": "#c8303f",
  "lstm-recurrent": "#b7791f",
  "transformer-cached": "#1a7f8e",
  "transformer-full": "#2f4b8f",
} as Record<`${ModelName}-${Mode}`, string>;

/** Where models are not distinguished by mode. */
const modelColors: Readonly<Record<ModelName, string>> = {
  rwkv: colors["rwkv-recurrent"],
  lstm: colors["lstm-recurrent"],
  transformer: colors["transformer-cached"],
};

/** For the article, which does not say how its Transformer decodes. */
const statedColors: Readonly<Record<ModelName, string>> = {
  ...modelColors,
  transformer: colors["transformer-full"],
};

/** The figures for a result, by file name. */
export async function drawFigures(
  { latency, memory, training }: Result,
): Promise<Map<string, string | Uint8Array>> {
  const figures = new Map<string, string | Uint8Array>();
  if (latency.length > 0) {
    figures.set(
      "latency.svg",
      await drawFigure({
        title: "Time per token",
        subtitle: "Median; dashed: the article; at the end of each line its ratio to RWKV",
        axis: "time per token (ms)",
        panels: panelsOf(latency, "latency", (row) => row.medianMs),
      }),
    );
  }
  if (memory.length > 0) {
    figures.set(
      "memory.svg",
      await drawFigure({
        title: "Memory for a token",
        subtitle:
          "Weights, state and activations; dashed: the article; at the end of each line its ratio to RWKV",
        axis: "memory (MB)",
        panels: panelsOf(memory, "memory", (row) => row.totalBytes / 1e6),
      }),
    );
  }
  for (const comparison of comparisonsOf(training)) {
    const { preset, backend, best } = comparison;
    if (best.length === 0) continue;
    const times = latency.filter((row) => row.preset === preset && row.backend === backend);
    const [[panel]] = times.length > 0 ? panelsOf(times, "latency", (row) => row.medianMs) : [[]];
    const svg = await drawTraining(
      best,
      modelColors,
      panel && { ...panel, title: `Time per token on ${backend}` },
    );
    figures.set(`${figureName(comparison)}.svg`, svg);
    figures.set(`${figureName(comparison)}.png`, await toPng(svg));
  }
  return figures;
}

/** One row for each backend and one column for each preset, with the measured lines and those of the article. */
function panelsOf<R extends Cell>(
  rows: readonly R[],
  quantity: Quantity,
  valueOf: (row: R) => number,
): Panel[][] {
  const longest = Math.max(...rows.map(({ length }) => length));
  const shortest = Math.min(...rows.map(({ length }) => length));
  const stated = modelNames.map((model) => ({
    name: `article: ${labelOf({ model })}`,
    color: statedColors[model],
    stated: true,
    points: article.filter(({ length }) => length >= shortest && length <= longest)
      .map((row) => ({ length: row.length, value: row[quantity][model] })),
  }));
  return distinct(rows, "backend").map((backend) =>
    distinct(rows, "preset").map((preset) => ({
      title: `${preset} on ${backend}`,
      series: [
        ...ways.map((way) => ({
          name: labelOf(way),
          color: colors[`${way.model}-${way.mode}`],
          points: rows
            .filter((row) =>
              row.backend === backend && row.preset === preset && row.model === way.model &&
              row.mode === way.mode
            )
            .map((row) => ({ length: row.length, value: valueOf(row) })),
        })),
        ...stated,
      ],
    }))
  );
}
