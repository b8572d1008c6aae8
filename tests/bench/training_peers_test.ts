import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Trainer } from "../../bench/peers/trainers.ts";
import { compareTraining, trainingText } from "../../bench/peers/training.ts";
import { casesOf } from "../../bench/peers/weights.ts";

const [subject] = await casesOf("matched", 128);
const effort = { warmUpMs: 1, leadInMs: 1, turnMs: 1, rounds: 3, budgetMs: 100 };

/** A trainer of these losses, and what was opened and closed. */
function laboratory() {
  const log: string[] = [];
  const trainer = (name: string, threads: number, loss: number): Trainer => ({
    name,
    threads,
    open: () => {
      log.push(`${name} opened`);
      return Promise.resolve({
        async take(steps) {
          await new Promise((resolve) => setTimeout(resolve, steps));
          return Array.from({ length: steps }, () => loss);
        },
        pace: () => Promise.resolve(1),
        close: () => Promise.resolve(void log.push(`${name} closed`)),
      });
    },
  });
  return { trainer, log };
}

Deno.test("compareTraining() leaves out peers that can't run or train something else", async () => {
  const { trainer, log } = laboratory();
  const absent: Trainer = {
    name: "absent",
    threads: 1,
    open: () => Promise.reject(new Error("No module named 'absent'")),
  };
  const own = [trainer("own", 1, 4), trainer("own", 2, 4.0003)];
  const peers = [absent, trainer("near", 1, 4.0003), trainer("far", 1, 4.0005), trainer("nan", 1, NaN)];
  const result = await compareTraining(subject, { own, peers }, effort, () => {});
  const { training, leftOut } = result;
  assertEquals(training.map(({ implementation, threads }) => [implementation, threads]), [
    ["own", 1],
    ["near", 1],
    ["own", 2],
  ]);
  assertEquals(leftOut.map(({ implementation }) => implementation), ["absent", "far", "nan"]);
  assertEquals(log.filter((line) => line.endsWith("opened")).length, 5);
  assertEquals(log.filter((line) => line.endsWith("closed")).length, 5);
  const text = trainingText(result);
  assertStringIncludes(text, "absent is left out: No module named 'absent'");
  assertStringIncludes(text, "losses must be within 0.0001 of 4, current loss of step 1 is 4.0005");
});

Deno.test("compareTraining() fails where the library has other losses with workers", async () => {
  const { trainer, log } = laboratory();
  const own = [trainer("one", 1, 4), trainer("two", 2, 5)];
  await assertRejects(() => compareTraining(subject, { own, peers: [] }, effort, () => {}), Error, "of 4");
  assertEquals(log, ["one opened", "two opened", "two closed", "one closed"]);
});

Deno.test("trainingText() has the ratios with the least that they must be", () => {
  const row = { model: subject.model, preset: subject.preset, threads: 1 };
  const text = trainingText({
    subject,
    training: [
      { ...row, implementation: "seqmix-wasm", tokensPerS: 48_000, ofOne: 1 },
      { ...row, implementation: "pytorch", tokensPerS: 12_000, ofOne: 0.25 },
      { ...row, implementation: "seqmix-wasm", threads: 2, tokensPerS: 83_000, ofOne: 1.75 },
      { ...row, implementation: "seqmix-wasm-apart", threads: 2, tokensPerS: 95_000, ofOne: 1.96 },
    ],
    leftOut: [],
  });
  assertEquals(text.split("\n"), [
    "matched RWKV, training on 32 sequences of 128",
    "                           tokens/s",
    "  seqmix-wasm                 48000",
    "  pytorch                     12000        4.00x  seqmix-wasm ÷ it, at least 3.00x",
    "  seqmix-wasm, 2 workers      83000        1.75x  of one thread, at least 1.70x",
    "    two processes             95000        1.96x  of one thread",
  ]);
});
