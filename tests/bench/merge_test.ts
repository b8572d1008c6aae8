import { assertEquals, assertRejects } from "@std/assert";
import { mergeResults, readResult, runOf } from "../../bench/report/merge.ts";
import type { Section } from "../../bench/report/options.ts";
import type { Result } from "../../bench/report/result.ts";
import { machine, runtime, trainingRow, trainings } from "./results.ts";

const empty = { latency: [], memory: [], training: [], wkv: [], wkvNotes: [] };

function resultOf(date: string, sections: readonly Section[], parts: Partial<Result>): Result {
  const run = { date, command: `command of ${date}`, machine, runtime, sections };
  return { machine, runtime, date, runs: [run], ...empty, ...parts };
}

const latency = (medianMs: number): Result["latency"] => [
  {
    preset: "seed",
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

/** Which sections each run is named for. */
const sectionsOf = ({ runs }: Result) =>
  Object.fromEntries(runs.map(({ date, sections }) => [date, sections]));

Deno.test("mergeResults() is the run alone where there was no report", () => {
  assertEquals(mergeResults(undefined, first), first);
});

Deno.test("mergeResults() keeps what the run did not measure, with where it came from", () => {
  const training = trainings({ seeds: 1, date: "tuesday" });
  const merged = mergeResults(first, resultOf("tuesday", ["training"], { training }));
  assertEquals([merged.latency, merged.wkvNotes, merged.training], [first.latency, ["a note"], training]);
  assertEquals(merged.date, "tuesday");
  assertEquals(sectionsOf(merged), { monday: ["latency", "wkv"], tuesday: ["training"] });
  assertEquals(runOf(merged, "latency").date, "monday");
});

Deno.test("mergeResults() replaces a section that is measured again, and forgets runs of which nothing is left", () => {
  const again = mergeResults(first, resultOf("tuesday", ["latency"], { latency: latency(2) }));
  assertEquals(again.latency[0].medianMs, 2);
  assertEquals(sectionsOf(again), { monday: ["wkv"], tuesday: ["latency"] });
  const all = mergeResults(again, resultOf("friday", ["latency", "wkv"], { latency: latency(3) }));
  assertEquals(sectionsOf(all), { friday: ["latency", "wkv"] });
  assertEquals(all.wkvNotes, []);
});

Deno.test("mergeResults() adds trainings up by preset, backend, model and seed", () => {
  const monday = trainings({ seeds: 1, date: "monday" }), tuesday = trainings({ seeds: 2, date: "tuesday" });
  const friday = [trainingRow({ preset: "seed", date: "friday" })];
  let merged = resultOf("monday", ["training"], { training: monday });
  merged = mergeResults(merged, resultOf("friday", ["training"], { training: friday }));
  assertEquals(merged.training, [...monday, ...friday]);
  assertEquals(sectionsOf(merged), { monday: ["training"], friday: ["training"] });
  // The same seed again, and another.
  merged = mergeResults(merged, resultOf("tuesday", ["training"], { training: tuesday }));
  assertEquals(merged.training, [...friday, ...tuesday]);
  assertEquals(sectionsOf(merged), { friday: ["training"], tuesday: ["training"] });
  // One model of them.
  const sunday = [trainingRow({ model: "lstm", seed: 2, date: "sunday" })];
  merged = mergeResults(merged, resultOf("sunday", ["training"], { training: sunday }));
  const others = tuesday.filter(({ model, seed }) => model !== "lstm" || seed !== 2);
  assertEquals(merged.training, [...friday, ...others, ...sunday]);
});

Deno.test("mergeResults() never mixes trainings of other epochs or on other sequences", () => {
  const long = resultOf("monday", ["training"], { training: trainings({ seeds: 3, date: "monday" }) });
  for (const other of [{ epochs: 2 }, { trainSequences: 9 }, { testSequences: 9 }]) {
    const training = [trainingRow({ date: "friday", ...other })];
    assertEquals(mergeResults(long, resultOf("friday", ["training"], { training })).training, training);
  }
  const elsewhere = [trainingRow({ date: "friday", epochs: 2, backend: "webgpu" })];
  const both = mergeResults(long, resultOf("friday", ["training"], { training: elsewhere }));
  assertEquals(both.training, [...long.training, ...elsewhere]);
});

Deno.test("readResult() reads a report, and nothing but one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assertEquals(await readResult(folder), undefined);
    const path = `${folder}/report.json`;
    await Deno.writeTextFile(path, JSON.stringify(first));
    assertEquals(await readResult(folder), first);
    for (const text of ["{}", "[1]", "null", "no JSON", ""]) {
      await Deno.writeTextFile(path, text);
      await assertRejects(() => readResult(folder), TypeError, `${path} must be a report of this version`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
