/**
 * A figure with lines over the length of the context, rendered without a browser.
 *
 * @module
 */
import { color, drawPanels, height, labelLayer, logPixel, panelTitle, ticks, width } from "./figure_style.ts";

interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly { readonly length: number; readonly value: number }[];
  /** Whether it is another source's: it is dashed, and compared with the first of its kind. */
  readonly stated?: boolean;
}

/** A panel. The ratios at the ends of its lines are relative to its first series, or to the first that is stated. */
export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

interface Figure {
  readonly title: string;
  readonly subtitle: string;
  /** `time per token (ms)` */
  readonly axis: string;
  /** Rows of panels. */
  readonly panels: readonly (readonly Panel[])[];
}

/**
 * Renders the figure as SVG. Both axes are logarithmic: a power law is a straight line, a constant a horizontal
 * one.
 */
export async function drawFigure({ title, subtitle, axis, panels }: Figure): Promise<string> {
  return await drawPanels(title, subtitle, panels.map((row) => row.map((panel) => linePanel(panel, axis))));
}

/** A panel of a figure, with axes that fit its lines. */
export function linePanel({ title, series }: Panel, axis: string) {
  const points = series.flatMap(({ points }) => points);
  const values = points.map(({ value }) => value);
  const lengths = [...new Set(points.map(({ length }) => length))].toSorted((a, b) => a - b);
  // Margins above and below, so that no line touches the frame.
  const domain: [number, number] = [Math.min(...values) / 1.4, Math.max(...values) * 1.4];
  // The first series is drawn last, on top of the others.
  const rows = series.toReversed().flatMap(({ color, points, stated = false }) =>
    points.map((point) => ({ color, stated, ...point }))
  );
  const x = {
    field: "length",
    type: "quantitative" as const,
    title: "context (tokens), log scale",
    scale: {
      type: "log" as const,
      base: 2,
      nice: false,
      domain: [lengths[0] / 1.15, lengths.at(-1)! * 1.15],
    },
    axis: { values: [...lengths], grid: false, format: "d", labelFlush: false, labelOverlap: true },
  };
  const y = {
    field: "value",
    type: "quantitative" as const,
    title: `${axis}, log scale`,
    scale: { type: "log" as const, domain, nice: false },
    axis: { format: "~g", values: ticks(domain) },
  };
  return {
    title: panelTitle(title),
    width,
    height,
    layer: [
      {
        data: { values: rows },
        mark: { type: "line" as const, strokeWidth: 2.25 },
        encoding: { x, y, color, strokeDash: dash },
      },
      {
        data: { values: rows },
        transform: [{ filter: "!datum.stated" }],
        mark: { type: "point" as const, filled: true, size: 42, opacity: 1 },
        encoding: { x, y, color },
      },
      labelLayer(labelsOf(series, domain)),
    ],
    resolve: { scale: { y: "shared" as const } },
  };
}

/** Dashed if stated. */
const dash = {
  field: "stated",
  type: "nominal" as const,
  scale: { domain: [false, true], range: [[1, 0], [5, 4]] },
  legend: null,
};

/** Labels for the ends of the lines. */
function labelsOf(series: readonly Series[], domain: readonly [number, number]) {
  return series.filter(({ points }) => points.length > 0).map(({ name, color, points, stated }) => {
    const first = series.find((other) => other.stated === stated && other.points.length > 0)!;
    const { value } = points.at(-1)!;
    const ratio = value / first.points.at(-1)!.value;
    const text = name === first.name ? name : `${name} ${showRatio(ratio)}`;
    return { text, color, pixel: logPixel(value, domain) };
  });
}

function showRatio(ratio: number): string {
  return `×${ratio >= 20 ? Math.round(ratio) : Number(ratio.toPrecision(2))}`;
}
