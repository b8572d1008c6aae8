import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { drawFigures } from "../../bench/report/figures.ts";
import { emptyResult } from "../../bench/report/merge.ts";
import { toPng } from "../../bench/report/png.ts";
import type { Result } from "../../bench/report/result.ts";
import { ways } from "../../bench/measure/subjects.ts";
import { trainings } from "./results.ts";

const latency: Result["latency"] = [32, 64, 256].flatMap((length) =>
  ways.map((way, i) => ({
    ...way,
    preset: "matched",
    backend: "wasm",
    length,
    medianMs: 0.01 * (i + 1),
    p99Ms: null,
    samples: 1,
  }))
);

function resultOf(training: Result["training"], parts: Partial<Result> = {}): Result {
  return { ...emptyResult, ...parts, training };
}

/** The texts of an SVG. */
const textsOf = (svg: unknown) =>
  [...(svg as string).matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);

/** A PNG's width and height, after its signature. */
function sizeOf(png: unknown): [number, number] {
  const bytes = png as Uint8Array;
  assertEquals([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

Deno.test("drawFigures() draws the article's four panels, with their units, as SVG and PNG", async () => {
  const figures = await drawFigures(resultOf(trainings({ seeds: 3 }), { latency }));
  assertEquals([...figures.keys()], ["latency.svg", "training-matched.svg", "training-matched.png"]);
  const svg = figures.get("training-matched.svg") as string;
  const texts = textsOf(svg);
  for (
    const text of [
      "Learning the synthetic task: matched, 52 thousand parameters",
      "Training loss",
      "Test loss",
      "Time per token on wasm",
      "Test accuracy",
      "epoch",
      "loss (nats per token), log scale",
      "time per token (ms), log scale",
      "context (tokens), log scale",
      "accuracy (%)",
      "RWKV 0.160",
      "n-gram 0.428",
      "best possible 96.7%",
      "n-gram 83.4%",
      "Transformer, full ×4",
      "article: Transformer ×3.2",
      "83.0%",
    ]
  ) assert(texts.includes(text), `${text} must be among ${texts}`);
  assertEquals(texts.filter((text) => text === "best possible 0.120").length, 1, "of the test loss alone");
  assert(!/NaN|undefined|Infinity/.test(svg));
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
  assertEquals(sizeOf(figures.get("training-matched.png")), [2 * width, 2 * height]);
});

Deno.test("drawFigures() draws a figure for each comparison, without times if none were measured", async () => {
  const matched = trainings({ seeds: 1 });
  const article = matched.map((row) => ({
    ...row,
    preset: "article" as const,
    parameters: row.model === "rwkv" ? 874_496 : 542_720,
  }));
  const training = [
    ...matched,
    ...article,
    // The grid has fewer epochs.
    ...article.map((row) => ({ ...row, epochs: 10 })),
    ...matched.map((row) => ({ ...row, backend: "webgpu", epochs: 1 })),
    // No rate is chosen.
    ...matched.map((row) => ({ ...row, epochs: 2 })).slice(0, 3),
  ];
  const figures = await drawFigures(resultOf(training));
  assertEquals([...figures.keys()].filter((name) => name.endsWith(".png")), [
    "training-matched.png",
    "training-article.png",
    "training-matched-webgpu-epochs1.png",
  ]);
  const texts = textsOf(figures.get("training-article.svg"));
  assert(
    !texts.includes("Time per token on wasm") &&
      texts.includes("50 epochs, each model at its best learning rate, one seed"),
  );
  assertStringIncludes(texts.join(), "article, 543 to 874 thousand parameters");
  for (const figure of figures.values()) assert(!/NaN|undefined/.test(String(figure)));
});

Deno.test("toPng() renders letters, also on a machine without fonts", async () => {
  const svg = (text: string) =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><text x="2" y="15" ` +
    `font-family="Helvetica, Arial, sans-serif">${text}</text></svg>`;
  const [empty, word, other] = await Promise.all(["", "word", "drow"].map((text) => toPng(svg(text))));
  assertEquals(sizeOf(word), [120, 40]);
  assert(word.length > empty.length + 200, `${word.length} bytes with a word, ${empty.length} without`);
  assert(String(word) !== String(other));
});
