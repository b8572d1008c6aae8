/**
 * The article's figure of four panels: the losses during training, the time of a token, and the final accuracy.
 *
 * @module
 */
import { labelOf, type ModelName } from "../measure/subjects.ts";
import type { TrainingRow } from "../training/row.ts";
import {
  color,
  drawPanels,
  grey,
  height,
  type Label,
  labelLayer,
  logPixel,
  type PanelSpec,
  panelTitle,
  ticks,
  width,
} from "./figure_style.ts";
import { counted } from "./format.ts";
import { linePanel, type Panel } from "./line_figure.ts";
import { mean } from "../measure/statistics.ts";
import { byModel, seedsOf } from "./training_parts.ts";

const best = { name: "best possible", color: grey };
const ngram = { name: "n-gram", color: grey };

/**
 * Draws the trainings of one comparison.
 *
 * @param colors the colours of the models
 * @param latency the time of a token at the same preset; without it the figure has three panels
 */
export async function drawTraining(
  rows: readonly TrainingRow[],
  colors: Readonly<Record<ModelName, string>>,
  latency: Panel | undefined,
): Promise<string> {
  const [{ preset, epochs }] = rows;
  const seeds = seedsOf(rows);
  const counts = rows.map(({ parameters }) => Math.round(parameters / 1000));
  const least = Math.min(...counts), most = Math.max(...counts);
  const title = `Learning the synthetic task: ${preset}, ${
    least === most ? least : `${least} to ${most}`
  } thousand parameters`;
  const subtitle = `${counted(epochs, "epoch")}, each model at its best learning rate, ` +
    (seeds.length === 1
      ? "one seed"
      : `${seeds.length} seeds: lines and points are means, bands and bars show the range`);
  const marks = [
    { ...best, loss: mean(seeds.map((row) => row.ceilingLoss)) },
    { ...ngram, loss: mean(seeds.map((row) => row.ngramLoss)) },
  ];
  const train = lossPanel("Training loss", rows, colors, "trainLoss", []);
  const test = lossPanel("Test loss", rows, colors, "testLoss", marks);
  const accuracy = accuracyPanel(rows, colors);
  return await drawPanels(title, subtitle, [
    [train, test],
    latency ? [linePanel(latency, "time per token (ms)"), accuracy] : [accuracy],
  ]);
}

/** The loss over the epochs, on a logarithmic axis, with its final value at the end of each line. */
function lossPanel(
  title: string,
  rows: readonly TrainingRow[],
  colors: Readonly<Record<ModelName, string>>,
  which: "trainLoss" | "testLoss",
  marks: readonly { readonly name: string; readonly color: string; readonly loss: number }[],
): PanelSpec {
  const lines = byModel(rows).map(([model, rows]) => {
    const name = labelOf({ model });
    const points = rows[0].curve.map(({ epoch }, i) => {
      const losses = rows.map(({ curve }) => curve[i][which]);
      return {
        color: colors[model],
        epoch,
        middle: mean(losses),
        low: Math.min(...losses),
        high: Math.max(...losses),
      };
    });
    return { name, color: colors[model], points };
  });
  const points = lines.flatMap(({ points }) => points);
  // A common scale for both losses.
  const all = rows.flatMap(({ ceilingLoss, curve }) => [
    ceilingLoss,
    ...curve.flatMap(({ trainLoss, testLoss }) => [trainLoss, testLoss]),
  ]);
  const domain = [Math.min(...all) / 1.15, Math.max(...all) * 1.1] as const;
  const { epochs } = rows[0];
  const step = Math.max(1, Math.round(epochs / 5));
  const x = {
    field: "epoch",
    type: "quantitative" as const,
    title: "epoch",
    scale: { domain: [1, epochs], nice: false },
    axis: { values: [1, ...multiples(step, epochs)], grid: false, format: "d", labelFlush: false },
  };
  const y = (field: string) => ({
    field,
    type: "quantitative" as const,
    title: "loss (nats per token), log scale",
    scale: { type: "log" as const, domain: [...domain], nice: false },
    axis: { format: "~g", values: ticks([...domain]) },
  });
  const labels = [
    ...lines.map(({ points, ...line }) => ({ ...line, value: points[points.length - 1].middle })),
    ...marks.map(({ loss, ...mark }) => ({ ...mark, value: loss })),
  ].map(({ name, color, value }) => ({
    color,
    text: `${name} ${value.toFixed(3)}`,
    pixel: logPixel(value, domain),
  }));
  // The first model is drawn last, on top of the others.
  const data = { values: points.toReversed() };
  return {
    title: panelTitle(title),
    width,
    height,
    layer: [
      {
        data: { values: marks.map((mark) => ({ ...mark })) },
        mark: { type: "rule", strokeDash: [4, 4] },
        encoding: { y: y("loss"), color },
      },
      {
        data,
        mark: { type: "area", opacity: 0.18 },
        encoding: { x, y: y("low"), y2: { field: "high" }, color },
      },
      { data, mark: { type: "line", strokeWidth: 2.25 }, encoding: { x, y: y("middle"), color } },
      labelLayer(labels),
    ],
    resolve: { scale: { y: "shared" } },
  };
}

/** n, 2n … up to the end. */
function multiples(n: number, end: number): number[] {
  return Array.from({ length: Math.floor(end / n) }, (_, i) => n * (i + 1)).filter((each) => each > 1);
}

/** The accuracy after the last epoch: a point for each model, between the best possible and the n-gram's. */
function accuracyPanel(
  rows: readonly TrainingRow[],
  colors: Readonly<Record<ModelName, string>>,
): PanelSpec {
  const percent = (values: readonly number[]) => 100 * mean(values);
  const points = byModel(rows).map(([model, rows]) => {
    const shares = rows.map(({ accuracy }) => 100 * accuracy);
    const middle = mean(shares);
    return {
      name: labelOf({ model }),
      color: colors[model],
      middle,
      low: Math.min(...shares),
      high: Math.max(...shares),
      text: `${middle.toFixed(1)}%`,
    };
  });
  const marks = [
    { ...best, share: percent(seedsOf(rows).map((row) => row.ceilingAccuracy)) },
    { ...ngram, share: percent(seedsOf(rows).map((row) => row.ngramAccuracy)) },
  ];
  const lowest = Math.min(...points.map(({ low }) => low), ...marks.map(({ share }) => share));
  // Down to the next multiple of ten, with a margin below the lowest point.
  const domain: [number, number] = [Math.max(0, 10 * Math.floor((lowest - 2) / 10)), 100];
  const x = {
    field: "name",
    type: "nominal" as const,
    title: null,
    sort: null,
    scale: { domain: points.map(({ name }) => name) },
    axis: { labelAngle: 0, labelFontSize: 12, grid: false, ticks: false, labelPadding: 8 },
  };
  const y = (field: string) => ({
    field,
    type: "quantitative" as const,
    title: "accuracy (%)",
    scale: { domain, nice: false, zero: false },
    axis: { tickCount: 6 },
  });
  const data = { values: points };
  const text = {
    type: "text" as const,
    align: "left" as const,
    baseline: "middle" as const,
    dx: 10,
    fontSize: 12,
  };
  const labels = marks.map(({ name, color, share }): Label => ({
    color,
    text: `${name} ${share.toFixed(1)}%`,
    pixel: height * (domain[1] - share) / (domain[1] - domain[0]),
  }));
  return {
    title: panelTitle("Test accuracy"),
    width,
    height,
    layer: [
      {
        data: { values: marks },
        mark: { type: "rule", strokeDash: [4, 4] },
        encoding: { y: y("share"), color },
      },
      {
        data,
        mark: { type: "rule", strokeWidth: 7, opacity: 0.3 },
        encoding: { x, y: y("low"), y2: { field: "high" }, color },
      },
      {
        data,
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: { x, y: y("middle"), color },
      },
      // A white outline, so that no line crosses the numbers.
      {
        data,
        mark: { ...text, stroke: "white", strokeWidth: 5, strokeJoin: "round" },
        encoding: { x, y: y("middle"), text: { field: "text" } },
      },
      { data, mark: text, encoding: { x, y: y("middle"), text: { field: "text" }, color } },
      labelLayer(labels),
    ],
    resolve: { scale: { y: "shared" } },
  };
}
