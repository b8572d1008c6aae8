/**
 * A figure of lines over the context's length, drawn without a browser.
 *
 * @module
 */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

export interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly { readonly length: number; readonly value: number }[];
}

/** A panel; the ratios at the ends of its lines are those to its first series. */
export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

export interface Figure {
  readonly title: string;
  readonly subtitle: string;
  /** `time per token (ms)` */
  readonly axis: string;
  /** Rows of panels, all with the same axes. */
  readonly panels: readonly (readonly Panel[])[];
}

const width = 300, height = 260;
/** Between the baselines of two labels. */
const lineHeight = 15;
const ink = "#3b3b3b", faint = "#e4e4e4";

/** The figure as SVG. Both axes are logarithmic: a straight line is a power, a level one does not grow. */
export async function drawFigure(figure: Figure): Promise<string> {
  const spec = compile(specOf(figure)).spec;
  const view = new View(parse(spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function specOf({ title, subtitle, axis, panels }: Figure): TopLevelSpec {
  const points = panels.flat().flatMap(({ series }) => series.flatMap(({ points }) => points));
  const values = points.map(({ value }) => value);
  const lengths = [...new Set(points.map(({ length }) => length))].toSorted((a, b) => a - b);
  // Room above and below, so that no line runs along the frame.
  const domain: [number, number] = [Math.min(...values) / 1.4, Math.max(...values) * 1.4];
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 16,
    title: { text: title, subtitle, anchor: "start", offset: 14 },
    vconcat: panels.map((row) => ({
      hconcat: row.map((panel) => panelOf(panel, axis, lengths, domain)),
      spacing: 36,
    })),
    spacing: 28,
    config: {
      font: "Helvetica, Arial, sans-serif",
      view: { stroke: null },
      concat: { spacing: 28 },
      title: {
        fontSize: 16,
        subtitleFontSize: 12,
        subtitleColor: "#6b6b6b",
        subtitlePadding: 5,
        color: ink,
      },
      axis: {
        labelFontSize: 11,
        titleFontSize: 12,
        titleFontWeight: "normal",
        titleColor: ink,
        labelColor: ink,
        gridColor: faint,
        domainColor: "#9b9b9b",
        tickColor: "#9b9b9b",
        titlePadding: 8,
      },
    },
  };
}

function panelOf(
  { title, series }: Panel,
  axis: string,
  lengths: readonly number[],
  domain: [number, number],
) {
  // The first series last, on top of the others.
  const rows = series.toReversed().flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
  const color = {
    field: "name",
    type: "nominal" as const,
    scale: { domain: series.map(({ name }) => name), range: series.map(({ color }) => color) },
    legend: null,
  };
  const x = {
    field: "length",
    type: "quantitative" as const,
    title: "context (tokens)",
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
    title: axis,
    scale: { type: "log" as const, domain, nice: false },
    axis: { format: "~g", values: ticks(domain) },
  };
  return {
    title: { text: title, anchor: "start" as const, fontSize: 13, fontWeight: 600 as const, offset: 8 },
    width,
    height,
    layer: [
      {
        data: { values: rows },
        mark: { type: "line" as const, strokeWidth: 2.25 },
        encoding: { x, y, color },
      },
      {
        data: { values: rows },
        mark: { type: "point" as const, filled: true, size: 42, opacity: 1 },
        encoding: { x, y, color },
      },
      {
        data: { values: labelsOf(series, domain) },
        mark: { type: "text" as const, align: "left" as const, baseline: "middle" as const, fontSize: 12 },
        encoding: {
          x: { value: width + 10 },
          y: { field: "pixel", type: "quantitative" as const, scale: null },
          text: { field: "text", type: "nominal" as const },
          color,
        },
      },
    ],
    resolve: { scale: { y: "shared" as const } },
  };
}

/** 1, 2 and 5 times the powers of ten, or fewer where that is enough. */
function ticks([low, high]: [number, number]): number[] {
  const decades = Math.log10(high / low);
  const steps = decades > 5 ? [1] : decades > 2.5 ? [1, 3] : [1, 2, 5];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) all.push(Number((step * 10 ** power).toPrecision(1)));
  }
  return all.filter((tick) => tick >= low && tick <= high);
}

/** A label at the end of each line, moved apart where they would lie on one another. */
function labelsOf(series: readonly Series[], [low, high]: [number, number]) {
  const [first] = series;
  const labels = series.filter(({ points }) => points.length > 0).map(({ name, points }) => {
    const { value } = points.at(-1)!;
    const ratio = value / first.points.at(-1)!.value;
    const text = name === first.name ? name : `${name} ${showRatio(ratio)}`;
    return { name, text, pixel: height * Math.log(high / value) / Math.log(high / low) };
  }).toSorted((a, b) => a.pixel - b.pixel);
  return spread(labels);
}

function showRatio(ratio: number): string {
  return `×${ratio >= 20 ? Math.round(ratio) : Number(ratio.toPrecision(2))}`;
}

/** Moves sorted labels apart: those that touch become a group around the middle of where they wanted to be. */
function spread<L extends { readonly pixel: number }>(labels: readonly L[]): L[] {
  const groups: { labels: L[]; middle: number }[] = [];
  for (const label of labels) {
    let group = { labels: [label], middle: label.pixel };
    for (let last = groups.at(-1); last !== undefined && touches(last, group); last = groups.at(-1)) {
      groups.pop();
      const joined = [...last.labels, ...group.labels];
      group = { labels: joined, middle: joined.reduce((sum, { pixel }) => sum + pixel, 0) / joined.length };
    }
    groups.push(group);
  }
  return groups.flatMap(({ labels, middle }) =>
    labels.map((label, i) => ({ ...label, pixel: middle + (i - (labels.length - 1) / 2) * lineHeight }))
  );
}

function touches(
  a: { labels: readonly unknown[]; middle: number },
  b: { labels: readonly unknown[]; middle: number },
) {
  return b.middle - a.middle < (a.labels.length + b.labels.length) / 2 * lineHeight;
}
