/**
 * The report's figures.
 *
 * @module
 */
import { type Cell, labelOf, type Mode, type ModelName, ways } from "../subjects.ts";
import { comparisonsOf } from "../training/comparison.ts";
import { drawFigure, type Panel } from "./line_figure.ts";
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

/** Where a model is not told apart by how it decodes. */
const modelColors: Readonly<Record<ModelName, string>> = {
  rwkv: colors["rwkv-recurrent"],
  lstm: colors["lstm-recurrent"],
  transformer: colors["transformer-cached"],
};

/** The figures that a result allows, by the name of their file. */
export async function drawFigures(
  { latency, memory, training }: Result,
): Promise<Map<string, string | Uint8Array>> {
  const figures = new Map<string, string | Uint8Array>();
  if (latency.length > 0) {
    figures.set(
      "latency.svg",
      await drawFigure({
        title: "Time per token",
        subtitle: "Median; at the end of each line how many times RWKV's it is",
        axis: "time per token (ms)",
        panels: panelsOf(latency, (row) => row.medianMs),
      }),
    );
  }
  if (memory.length > 0) {
    figures.set(
      "memory.svg",
      await drawFigure({
        title: "Memory for a token",
        subtitle: "Weights, state and activations; at the end of each line how many times RWKV's they are",
        axis: "memory (MB)",
        panels: panelsOf(memory, (row) => row.totalBytes / 1e6),
      }),
    );
  }
  for (const comparison of comparisonsOf(training)) {
    const { preset, backend, best } = comparison;
    if (best.length === 0) continue;
    const times = latency.filter((row) => row.preset === preset && row.backend === backend);
    const [[panel]] = times.length > 0 ? panelsOf(times, (row) => row.medianMs) : [[]];
    const svg = await drawTraining(best, modelColors, panel && { ...panel, title: "Time per token" });
    figures.set(`${figureName(comparison)}.svg`, svg);
    figures.set(`${figureName(comparison)}.png`, await toPng(svg));
  }
  return figures;
}

/** A row a backend, a column a preset. */
function panelsOf<R extends Cell>(rows: readonly R[], valueOf: (row: R) => number): Panel[][] {
  const backends = [...new Set(rows.map(({ backend }) => backend))];
  const presets = [...new Set(rows.map(({ preset }) => preset))];
  return backends.map((backend) =>
    presets.map((preset) => ({
      title: `${preset} on ${backend}`,
      series: ways.map((way) => ({
        name: labelOf(way),
        color: colors[`${way.model}-${way.mode}`],
        points: rows
          .filter((row) =>
            row.backend === backend && row.preset === preset && row.model === way.model &&
            row.mode === way.mode
          )
          .map((row) => ({ length: row.length, value: valueOf(row) })),
      })),
    }))
  );
}
