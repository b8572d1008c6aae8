import { assertEquals, assertRejects } from "@std/assert";
import { emptyResult, mergeResults, readResult, runOf } from "../../bench/report/merge.ts";
import type { Section } from "../../bench/report/options.ts";
import type { Result } from "../../bench/report/result.ts";
import { rowsFolder, writeRow } from "../../bench/training/rows.ts";
import { machine, runtime, trainingRow } from "./results.ts";

function resultOf(date: string, sections: readonly Section[], parts: Partial<Result>): Result {
  const run = { date, command: `command of ${date}`, machine, runtime, sections };
  return { ...emptyResult, runs: [run], ...parts };
}

const latency = (medianMs: number): Result["latency"] => [
  {
    preset: "article",
    model: "rwkv",
    mode: "recurrent",
    backend: "wasm",
    length: 32,
    medianMs,
    p99Ms: null,
    samples: 1,
  },
];
const first = resultOf("monday", ["latency", "wkv"], { latency: latency(1), wkvNotes: ["a note"] });

/** The sections that each run is recorded for. */
const sectionsOf = ({ runs }: Result) =>
  Object.fromEntries(runs.map(({ date, sections }) => [date, sections]));

Deno.test("mergeResults() returns the run alone if there was no report", () => {
  assertEquals(mergeResults(emptyResult, first), first);
});

Deno.test("mergeResults() keeps sections that the run did not measure, with their origin", () => {
  const training = [trainingRow()];
  const merged = mergeResults({ ...first, training }, resultOf("tuesday", ["memory"], {}));
  assertEquals([merged.latency, merged.wkvNotes, merged.training], [first.latency, ["a note"], training]);
  assertEquals(sectionsOf(merged), { monday: ["latency", "wkv"], tuesday: ["memory"] });
  assertEquals(runOf(merged, "latency").date, "monday");
});

Deno.test("mergeResults() replaces sections that are measured again, and drops runs without sections", () => {
  const again = mergeResults(first, resultOf("tuesday", ["latency"], { latency: latency(2) }));
  assertEquals(again.latency[0].medianMs, 2);
  assertEquals(sectionsOf(again), { monday: ["wkv"], tuesday: ["latency"] });
  const all = mergeResults(again, resultOf("friday", ["latency", "wkv"], { latency: latency(3) }));
  assertEquals(sectionsOf(all), { friday: ["latency", "wkv"] });
  assertEquals(all.wkvNotes, []);
});

Deno.test("readResult() reads a report with its trainings, and refuses other files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assertEquals(await readResult(folder), emptyResult);
    const path = `${folder}/report.json`;
    await Deno.writeTextFile(path, JSON.stringify(first));
    assertEquals(await readResult(folder), first);
    const training = [trainingRow({ seed: 1 }), trainingRow({ seed: 2 })];
    await Deno.mkdir(rowsFolder(folder));
    for (const row of training) await writeRow(row, folder);
    await Deno.writeTextFile(`${rowsFolder(folder)}/other.safetensors`, "of a training that is not done");
    assertEquals(await readResult(folder), { ...first, training });
    for (const text of ["{}", "[1]", "null", "no JSON", ""]) {
      await Deno.writeTextFile(path, text);
      await assertRejects(() => readResult(folder), TypeError, `${path} must be a report of this version`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
