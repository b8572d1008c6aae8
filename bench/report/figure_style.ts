/**
 * The common style of the figures: colours, labels at the ends of lines, and rendering without a browser.
 *
 * @module
 */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** A panel, or several panels as layers. */
export type PanelSpec = Extract<TopLevelSpec, { concat: unknown }>["concat"][number];

/** The size of a panel without its axes and labels. */
export const width = 300, height = 260;
/** The distance between the baselines of two labels. */
const lineHeight = 15;
const ink = "#3b3b3b", faint = "#e4e4e4";
/** For everything that is not a model. */
export const grey = "#7a7a7a";

/** Renders rows of panels under a title as SVG. */
export async function drawPanels(
  title: string,
  subtitle: string,
  panels: readonly (readonly PanelSpec[])[],
): Promise<string> {
  const spec: TopLevelSpec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 16,
    title: { text: title, subtitle, anchor: "start", offset: 14 },
    concat: [...panels.flat()],
    columns: panels[0].length,
    // Aligns the frames, with space for labels on the right and an axis on the left.
    bounds: "flush",
    spacing: { row: 92, column: 232 },
    config: {
      font: "Helvetica, Arial, sans-serif",
      view: { stroke: null },
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
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** A panel's title, above its left end. */
export function panelTitle(text: string) {
  return {
    text,
    anchor: "start" as const,
    fontSize: 13,
    fontWeight: 600 as const,
    offset: 8,
    frame: "group" as const,
  };
}

/** Each datum includes its colour, so that the panels of a figure need no common scale. */
export const color = { field: "color", type: "nominal" as const, scale: null, legend: null };

/** 1, 2 and 5 times the powers of ten, or fewer if that is enough. */
export function ticks([low, high]: [number, number]): number[] {
  const decades = Math.log10(high / low);
  const steps = decades > 5 ? [1] : decades > 2.5 ? [1, 3] : [1, 2, 5];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) all.push(Number((step * 10 ** power).toPrecision(1)));
  }
  return all.filter((tick) => tick >= low && tick <= high);
}

/** A text to the right of a panel, `pixel` pixels below its top. */
export interface Label {
  readonly text: string;
  readonly color: string;
  readonly pixel: number;
}

/** Labels to the right of a panel, moved so that they do not overlap. */
export function labelLayer(labels: readonly Label[]) {
  return {
    data: { values: spread(labels.toSorted((a, b) => a.pixel - b.pixel)) },
    mark: { type: "text" as const, align: "left" as const, baseline: "middle" as const, fontSize: 12 },
    encoding: {
      x: { value: width + 10 },
      y: { field: "pixel", type: "quantitative" as const, scale: null },
      text: { field: "text", type: "nominal" as const },
      color,
    },
  };
}

/** The position of a value on a logarithmic axis, in pixels below the panel's top. */
export function logPixel(value: number, [low, high]: readonly [number, number]): number {
  return height * Math.log(high / value) / Math.log(high / low);
}

/** Separates sorted labels: those that overlap form a group around the mean of their positions. */
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
