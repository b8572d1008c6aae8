import { assertEquals, assertStringIncludes } from "@std/assert";
import { trainingParts } from "../../bench/report/training_parts.ts";
import type { TrainingRow } from "../../bench/training/row.ts";
import { trainingRow, trainings } from "./results.ts";

const parts = (rows: Parameters<typeof trainingParts>[0]) =>
  trainingParts(rows).map(({ title, table, notes = [], intro = [] }) => ({
    title,
    notes,
    intro: intro.join(" "),
    cells: Object.fromEntries(table!.rows.map(([name, ...cells]) => [name, cells])),
  }));

const scoresOf = (rows: Parameters<typeof trainingParts>[0], which: string) =>
  parts(rows).find(({ title }) => title === `Learning, ${which}: matched`)!;
const atBest = "each model at its best rate", atArticles = "all at the article's rate";

Deno.test("trainingParts() shows mean and spread of the seeds, next to the article, the best possible and the n-gram", () => {
  const { intro, cells } = scoresOf(trainings({ seeds: 3 }), atBest);
  assertStringIncludes(intro, "Mean ± standard deviation of 3 seeds");
  assertEquals(cells["RWKV"], [
    "0.003",
    "51,712",
    "0.140 ± 0.010",
    "0.160 ± 0.010",
    "-0.0 ± 0.0",
    "95.5 ± 1.0",
    "1.2 ± 0.0",
    "0.234",
    "0.289",
    "87.3",
  ]);
  assertEquals(cells["LSTM"][4], "-58.3 ± 0.6");
  assertEquals(cells["Transformer"].slice(-3), ["0.198", "0.267", "88.9"]);
  assertEquals(cells["LSTM"].slice(-3), ["0.312", "0.378", "82.1"]);
  assertEquals(cells["best possible"].slice(3, 6), ["0.120 ± 0.010", "-", "96.7 ± 1.0"]);
  assertEquals(cells["n-gram of order 4"].slice(3, 7), ["0.428 ± 0.010", "-", "83.4 ± 1.0", "13.3 ± 0.0"]);
});

Deno.test("trainingParts() has a second table at the article's rate", () => {
  const { cells } = scoresOf(trainings({ seeds: 3 }), atArticles);
  assertEquals([cells["RWKV"][0], cells["RWKV"][5]], ["0.001", "85.5 ± 1.0"]);
});

Deno.test("trainingParts() of one seed has no spread, and states that", () => {
  const { intro, cells } = scoresOf(trainings({ seeds: 1 }), atBest);
  assertEquals(intro.endsWith("One seed."), true);
  assertEquals(cells["RWKV"].slice(2, 6), ["0.130", "0.150", "-0.0", "94.5"]);
});

Deno.test("trainingParts() shows the grid, with the chosen rates marked", () => {
  const [, grid] = parts(trainings({ seeds: 3 }));
  assertEquals(grid.title, "Which learning rate: matched");
  assertEquals(grid.cells["LSTM"], ["72.0 / 0.420", "72.0 / 0.420", "* 82.0 / 0.420", "72.0 / 0.420"]);
  assertEquals(grid.notes, []);
});

Deno.test("trainingParts() states what is missing, and where a grid may be too narrow", () => {
  const whole = trainings({ seeds: 3 });
  const partly = whole.filter(({ model, rate, seed }) =>
    model === "rwkv" || (model === "lstm" ? rate < 1e-2 || seed > 1 : seed < 3 || rate === 1e-3)
  ).map((row) => row.model === "rwkv" && row.rate === 1e-2 ? { ...row, validationAccuracy: 1 } : row);
  const [, grid, best] = parts(partly);
  assertEquals(grid.cells["LSTM"][3], "-");
  assertEquals(grid.notes, [
    "No rate is chosen yet for LSTM.",
    "The best rate is at an end of the grid, beyond which there may be a better one: RWKV.",
    "Missing: LSTM at 0.01, seed 1; RWKV at 0.01, seed 2; RWKV at 0.01, seed 3; Transformer at 0.003, seed 3.",
  ]);
  assertEquals(Object.keys(best.cells), ["RWKV", "Transformer", "best possible", "n-gram of order 4"]);
  assertEquals(parts([trainingRow()]).map(({ title }) => title), [
    "Where the numbers come from: training",
    "Which learning rate: matched",
  ]);
});

Deno.test("trainingParts() shows the accuracy of each kind of memory", () => {
  const kinds = parts(trainings({ seeds: 2 })).find(({ title }) => title.startsWith("Which memory"))!;
  assertEquals(kinds.title, "Which memory was learned, accuracy in %: matched");
  assertEquals(kinds.cells["LSTM"], ["98.0 ± 0.0", "50.0 ± 0.0", "10.0 ± 0.0", "-"]);
  assertEquals(kinds.cells["best possible"][1], "87.5 ± 0.0");
});

Deno.test("trainingParts() separates presets, backends and epochs, and is empty without trainings", () => {
  const rows = trainings({ seeds: 1 });
  const other = (of: Partial<TrainingRow>) => rows.map((row) => ({ ...trainingRow({ ...row, ...of }) }));
  const article = [...other({ preset: "article", epochs: 10 }), ...other({ preset: "article" })];
  const all = [...rows, ...article, ...other({ backend: "webgpu", epochs: 1 })];
  assertEquals(parts(all).map(({ title }) => title).filter((title) => title.includes("at its best rate")), [
    `Learning, ${atBest}: matched`,
    `Learning, ${atBest}: article`,
    `Learning, ${atBest}: matched on webgpu, 1 epoch`,
  ]);
  assertEquals(parts([]), []);
});
