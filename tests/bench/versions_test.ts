import { assert, assertEquals, assertRejects } from "@std/assert";
import * as seqmix from "@seqmix/seqmix";
import { modelNames } from "../../bench/measure/subjects.ts";
import { compareCase } from "../../bench/versions/compare.ts";
import { loadLibrary } from "../../bench/versions/library.ts";
import { titleOf, unitsOf, type Work } from "../../bench/versions/work.ts";

const works: readonly Work[] = [
  { kind: "token", length: 3 },
  { kind: "generate", tokens: 2 },
  { kind: "fit", rows: 16, length: 2 },
];

for (const model of modelNames) {
  Deno.test(`compareCase() times a token, a generation and training of ${model}, also for a library without compile`, async () => {
    const { compile: _, ...older } = seqmix;
    const pace = { warmUpMs: 0, leadInMs: 0, sampleMs: 0, budgetMs: Infinity, together: true };
    for (const work of works) {
      const timed = { preset: "matched", model, work, rounds: 3 } as const;
      const { beforeMs, nowMs, ratio } = await compareCase({ before: older, now: seqmix }, timed, pace);
      assert(beforeMs > 0 && nowMs > 0 && ratio > 0, `${titleOf(work)}: ${beforeMs}, ${nowMs}, ${ratio}`);
    }
  });
}

Deno.test("the time of a run is divided by its tokens or steps", () => {
  assertEquals(works.map(unitsOf), [1, 2, 2]);
  assertEquals(works.map(titleOf), ["token at 3", "generate 2", "fit 16 x 2"]);
  assertEquals(unitsOf({ kind: "fit", rows: 64, length: 2 }), 1);
});

Deno.test("loadLibrary() refuses a folder without the library", async () => {
  const { compile } = await loadLibrary(".");
  assertEquals(typeof compile, "function");
  await assertRejects(
    () => loadLibrary("bench"),
    RangeError,
    "Cannot load library: the folder must be a checkout",
  );
});
