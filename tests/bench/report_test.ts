import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Cell, ways } from "../../bench/measure/subjects.ts";
import { toMarkdown } from "../../bench/report/document.ts";
import { drawFigures } from "../../bench/report/figures.ts";
import { countParameters, partsOf } from "../../bench/report/parts.ts";
import type { Result } from "../../bench/report/result.ts";
import { machine, runtime, trainings } from "./results.ts";

const cells: Cell[] = ["reference", "other"].flatMap((backend) =>
  [32, 256, 1024].flatMap((length) =>
    ways.map((way) => ({ preset: "article", backend, length, ...way } as const))
  )
);

/** The time of each way relative to RWKV's in these made-up results, at the shortest context. */
const factor = { recurrent: 1, cached: 2, full: 10 } as const;

const date = "2020-01-01T00:00:00.000Z";

const result: Result = {
  runs: [{ date, machine, runtime, command: "deno task report", sections: ["latency", "memory", "wkv"] }],
  latency: cells.map((cell) => ({
    ...cell,
    medianMs: factor[cell.mode] * (cell.mode === "recurrent" ? 1 : cell.length / 32),
    p99Ms: cell.mode === "full" ? null : 4.5,
    samples: cell.mode === "full" ? 12 : 200,
  })),
  memory: cells.map((cell) => ({
    ...cell,
    weightBytes: 3e6,
    stateBytes: cell.mode === "cached" ? cell.length * 1000 : 1000,
    activationBytes: 1000,
    totalBytes: 3e6 + 1000 + (cell.mode === "cached" ? cell.length * 1000 : 1000),
    processBytes: 50e6,
  })),
  training: [],
  wkv: [],
  wkvNotes: [],
};

const parameters = countParameters();

const markdown = (from: Result) => toMarkdown("Report", partsOf(from, parameters));

/** In a part's table, the cells of the rows that contain a text. */
function rowsWith(report: string, title: string, ...texts: string[]): string[][] {
  const part = report.split("\n## ").find((each) => each.startsWith(title));
  if (part === undefined) throw new Error(`no part ${title}`);
  return part.split("\n").filter((line) => line.startsWith("|") && texts.every((text) => line.includes(text)))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("partsOf() has a table of times with every way, next to the article's", () => {
  const report = markdown(result);
  assertEquals(rowsWith(report, "Time per token", "reference", " 256 "), [
    ["reference", "256", "1.00 / 4.50", "1.00 / 4.50", "16.0 / 4.50", "80.0 / -", "0.45", "0.58", "1.43"],
  ]);
  assertEquals(rowsWith(report, "Time per token", "other", " 1024 ")[0].slice(-3), ["-", "-", "-"]);
  assertStringIncludes(report, "fewer than 100 samples (at least 12)");
});

Deno.test("partsOf() states how the time grows", () => {
  const report = markdown(result);
  const [growth] = rowsWith(report, "How the time grows", "reference", "cached");
  assertEquals(growth, ["article", "reference", "Transformer, cached", "2.00", "64.0", "32.0x"]);
});

Deno.test("partsOf() compares RWKV with the Transformer, next to the article's 3.2 and 5.3", () => {
  const report = markdown(result);
  const [row] = rowsWith(report, "RWKV against Transformer", "reference", " 256 ");
  assertEquals(row.slice(3, 9), ["16.0x", "80.0x", "3.18x", "1.08x", "1.00x", "5.27x"]);
  assertStringIncludes(report, "3.2 times faster and 5.3 times less memory at 256");
});

Deno.test("partsOf() counts the parameters, those of matched within 2% of each other", () => {
  const both = { ...result, training: trainings({ seeds: 1 }) };
  const [matched] = rowsWith(markdown(both), "Parameters", "matched");
  const counts = matched.slice(1, 4).map((count) => Number(count.replaceAll(",", "")));
  assert(Math.max(...counts) / Math.min(...counts) <= 1.02);
});

Deno.test("partsOf() lists the sections of each run, and the machines that trained", () => {
  const later = { ...result.runs[0], date: "later", command: "scan", sections: ["wkv"] as const };
  const training = trainings({ seeds: 1 });
  const report = markdown({ ...result, training, runs: [...result.runs, later] });
  assertEquals(rowsWith(report, "Where the numbers come from: latency, memory, wkv", "command"), [
    ["command", "deno task report"],
  ]);
  assertEquals(rowsWith(report, "Where the numbers come from: wkv", "command"), [["command", "scan"]]);
  assertEquals(rowsWith(report, "Where the numbers come from: training", "A processor"), [
    ["A processor, 2 cores", "a system", "Deno 2", "2", "12", "0.800", "2020-01-02"],
  ]);
});

Deno.test("partsOf() leaves out sections that were not measured", () => {
  const onlyMemory = markdown({ ...result, latency: [] });
  assert(!onlyMemory.includes("Time per token"));
  assertEquals(rowsWith(onlyMemory, "RWKV against", "reference", " 256 ")[0].slice(3, 6), [
    "-",
    "-",
    "3.18x",
  ]);
  const onlyTraining = markdown({
    ...result,
    latency: [],
    memory: [],
    training: trainings({ seeds: 1 }),
  });
  assert(
    !onlyTraining.includes("RWKV against") &&
      onlyTraining.includes("Learning, each model at its best rate: matched"),
  );
  const onlyLatency = markdown({ ...result, memory: [] });
  assert(!onlyLatency.includes("Memory for a token"));
  assertEquals(rowsWith(onlyLatency, "RWKV against", "reference", " 256 ")[0].slice(6, 8), ["-", "-"]);
});

Deno.test("drawFigures() draws the measurements, with units and the ratios to RWKV", async () => {
  const figures = await drawFigures(result);
  assertEquals([...figures.keys()], ["latency.svg", "memory.svg"]);
  for (const svg of [...figures.values()].map(String)) {
    assertMatch(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assertEquals(svg.match(/<g[ >]/g)?.length, svg.match(/<\/g>/g)?.length);
    assert(!svg.includes("NaN") && !svg.includes("undefined"));
  }
  assertStringIncludes(String(figures.get("latency.svg")), "time per token (ms)");
  assertStringIncludes(String(figures.get("latency.svg")), "Transformer, full ×320");
  assertStringIncludes(String(figures.get("memory.svg")), "memory (MB)");
  assertEquals([...(await drawFigures({ ...result, memory: [] })).keys()], ["latency.svg"]);
});

Deno.test("drawFigures() can draw a single length", async () => {
  const one = { ...result, latency: result.latency.filter(({ length }) => length === 32), memory: [] };
  const svg = String((await drawFigures(one)).get("latency.svg"));
  assert(!svg.includes("NaN"));
});
