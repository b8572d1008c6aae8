import { assertEquals } from "@std/assert";
import { trainingParts } from "../../bench/report/training_parts.ts";
import { trainingRow, trainings } from "./results.ts";

const parts = (rows: Parameters<typeof trainingParts>[0]) =>
  trainingParts(rows).map(({ title, table, notes = [], intro = [] }) => ({
    title,
    notes,
    intro: intro.join(" "),
    cells: Object.fromEntries(table!.rows.map(([name, ...cells]) => [name, cells])),
  }));

Deno.test("trainingParts() has mean and spread of the seeds beside the article, the best and the n-gram", () => {
  const [scores] = parts(trainings({ seeds: 3, date: "today" }));
  assertEquals(scores.title, "Learning: matched");
  assertEquals(scores.intro.includes("Mean ± standard deviation of 3 seeds"), true);
  assertEquals(scores.cells["RWKV"], [
    "51,712",
    "0.140 ± 0.010",
    "0.160 ± 0.010",
    "95.5 ± 1.0",
    "1.2 ± 0.0",
    "40000",
    "4.00",
    "0.234",
    "0.289",
    "87.3",
  ]);
  assertEquals(scores.cells["Transformer"].slice(-3), ["0.198", "0.267", "88.9"]);
  assertEquals(scores.cells["LSTM"].slice(-3), ["0.312", "0.378", "82.1"]);
  assertEquals(scores.cells["best possible"].slice(2, 4), ["0.120 ± 0.010", "96.7 ± 1.0"]);
  assertEquals(scores.cells["n-gram of order 4"].slice(2, 5), ["0.428 ± 0.010", "83.4 ± 1.0", "13.3 ± 0.0"]);
});

Deno.test("trainingParts() of one seed has no spread, and says so", () => {
  const [scores] = parts(trainings({ seeds: 1, date: "today" }));
  assertEquals(scores.intro.endsWith("One seed."), true);
  assertEquals(scores.cells["RWKV"].slice(1, 4), ["0.130", "0.150", "94.5"]);
});

Deno.test("trainingParts() says who is near the best, who has converged, and who remembers no slot", () => {
  const [{ notes }] = parts(trainings({ seeds: 3, date: "today" }));
  assertEquals(notes, [
    "Within 2 points of the best possible accuracy: RWKV (1.2), Transformer (1.4). Further below it: LSTM (13.7).",
    "Converged: with a test loss that did not fall by more than 1% over the last 10 epochs, in which the learning rate is " +
    "below a tenth of its highest.",
    "RWKV has converged: its test loss fell by 0.0% over the last 10 epochs.",
    "LSTM has not converged: its test loss fell by 58.3% over the last 10 epochs; it is no better than the n-gram of " +
    "order 4; it has not learned to remember slots, of which it gets 50.0% right and the n-gram of order 4 50.0%.",
    "Transformer has converged: its test loss fell by 0.0% over the last 10 epochs.",
  ]);
  const [{ notes: none }] = parts([trainingRow({ accuracy: NaN })]);
  assertEquals(
    none[0],
    "No model is within 2 points of the best possible accuracy. Further below it: RWKV (NaN).",
  );
});

Deno.test("trainingParts() shows the accuracy of each kind of memory", () => {
  const [, kinds] = parts(trainings({ seeds: 2, date: "today" }));
  assertEquals(kinds.title, "Which memory was learned, accuracy in %: matched");
  assertEquals(kinds.cells["LSTM"], ["98.0 ± 0.0", "50.0 ± 0.0", "10.0 ± 0.0", "-"]);
  assertEquals(kinds.cells["best possible"][1], "87.5 ± 0.0");
});

Deno.test("trainingParts() keeps presets and backends apart, and has nothing of nothing", () => {
  const rows = [trainingRow(), trainingRow({ preset: "seed" }), trainingRow({ backend: "webgpu" })];
  assertEquals(parts(rows).map(({ title }) => title).filter((title) => title.startsWith("Learning")), [
    "Learning: matched",
    "Learning: seed",
    "Learning: matched on webgpu",
  ]);
  assertEquals(parts([]), []);
  assertEquals(parts([trainingRow({ epochs: 1 })])[0].notes.length, 1);
});
