import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { casesOf } from "../../bench/peers/case.ts";
import { ownTrainingParts } from "../../bench/peers/own_training.ts";
import type { Peer } from "../../bench/peers/peer.ts";
import { tokenParts } from "../../bench/peers/token.ts";
import { compareTraining, trainingParts } from "../../bench/peers/training.ts";
import { toText } from "../../bench/report/document.ts";

const [subject] = await casesOf("matched", 128);
const effort = { warmUpMs: 1, leadInMs: 1, sampleMs: 1, rounds: 3, budgetMs: 100 };

/** Peers with these losses, and a log of what was opened and closed. */
function laboratory() {
  const log: string[] = [];
  const peer = (name: string, loss: number, own = false): Peer => ({
    name,
    own,
    open: () => {
      log.push(`${name} opened`);
      return Promise.resolve({
        outputs: () => Promise.resolve([[loss], [loss]]),
        time: () => loss,
        close: () => void log.push(`${name} closed`),
      });
    },
  });
  return { peer, log };
}

Deno.test("compare() leaves out peers that can't run or compute something else", async () => {
  const { peer, log } = laboratory();
  const absent: Peer = { name: "absent", open: () => Promise.reject(new Error("No module named 'absent'")) };
  const others = [absent, peer("near", 4.0003), peer("far", 4.0005), peer("nan", NaN)];
  const result = await compareTraining(
    subject,
    [peer("one", 4, true), peer("two", 4.0003, true), ...others],
    effort,
  );
  assertEquals(result.training.map(({ implementation }) => implementation), ["one", "two", "near"]);
  assertEquals(result.leftOut.map(({ implementation }) => implementation), ["absent", "far", "nan"]);
  assertEquals(log.filter((line) => line.endsWith("opened")).length, 5);
  assertEquals(log.filter((line) => line.endsWith("closed")).length, 5);
  const text = toText(trainingParts(result)).replaceAll("\n", " ");
  assertStringIncludes(text, "Left out: absent: No module named 'absent'");
  assertStringIncludes(
    text,
    "outputs must be within 0.0001 of their scale 4, current error of step 1 is 0.00049999",
  );
});

Deno.test("compare() fails if the library itself is wrong, and closes all peers", async () => {
  const { peer, log } = laboratory();
  const peers = [peer("one", 4, true), peer("two", 5, true)];
  await assertRejects(() => compareTraining(subject, peers, effort), Error, "of their scale 4");
  assertEquals(log, ["one opened", "two opened", "one closed", "two closed"]);
});

Deno.test("trainingParts() has a column for each implementation, relative to one thread of the library", () => {
  const row = { model: subject.model, preset: subject.preset };
  const [{ table }] = trainingParts({
    training: [
      { ...row, implementation: "seqmix-wasm", tokensPerS: 48_000, ofOne: 1 },
      { ...row, implementation: "PyTorch", tokensPerS: 12_000, ofOne: 0.25 },
      { ...row, model: "lstm", implementation: "seqmix-wasm", tokensPerS: 50_000, ofOne: 1 },
    ],
    leftOut: [],
  });
  assertEquals(table, {
    columns: ["preset", "model", "seqmix-wasm", "PyTorch"],
    rows: [
      ["matched", "RWKV", "48000 (1.00x)", "12000 (0.25x)"],
      ["matched", "LSTM", "50000 (1.00x)", "-"],
    ],
  });
});

Deno.test("tokenParts() has the times of a token, and its lower bounds", () => {
  const row = { model: subject.model, preset: subject.preset, mode: subject.mode, length: 256 };
  const limit = { bytes: 2e5, multiplyAdds: 5e4, productsMs: 0.003, readMs: 0.002, multiplyAddMs: 0.001 };
  const [times, limits] = tokenParts({
    token: [{ ...row, implementation: "seqmix-wasm", medianMs: 0.01 }],
    limits: [{ ...row, ...limit }],
    leftOut: [],
  });
  assertEquals(times.table!.rows, [["matched", "RWKV", "0.0100"]]);
  assertEquals(limits.table!.rows[0].slice(2), [
    "0.00300",
    "0.00200",
    "0.200",
    "100",
    "0.00100",
    "0.0500",
    "50.0",
  ]);
});

Deno.test("ownTrainingParts() has the time of a step, relative to the library's", () => {
  const [{ table }] = ownTrainingParts({
    ownTraining: [
      { model: "tagger, LSTM", implementation: "seqmix-wasm", medianMs: 10, ofOne: 1 },
      { model: "tagger, LSTM", implementation: "PyTorch", medianMs: 12.5, ofOne: 1.25 },
      { model: "regressor, RWKV", implementation: "seqmix-wasm", medianMs: 20, ofOne: 1 },
    ],
    leftOut: [],
  });
  assertEquals(table, {
    columns: ["model", "seqmix-wasm", "PyTorch"],
    rows: [["tagger, LSTM", "10.0 (1.00x)", "12.5 (1.25x)"], ["regressor, RWKV", "20.0 (1.00x)", "-"]],
  });
});
