import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createReference } from "@seqmix/seqmix";
import { openBackend } from "../../bench/measure/backends.ts";
import { countAll, countMemory } from "../../bench/measure/memory.ts";
import { measureLatency } from "../../bench/measure/latency.ts";
import {
  type Cell,
  checkedSteps,
  checkLogits,
  makeSubject,
  Step,
  taskSequence,
  ways,
} from "../../bench/measure/subjects.ts";

async function count({ model, mode, length }: Pick<Cell, "model" | "mode" | "length">) {
  using backend = createReference();
  return await countMemory(await makeSubject("matched", model, backend), mode, length);
}

Deno.test("countMemory() is the same at every length for a state of constant size", async () => {
  for (const model of ["rwkv", "lstm"] as const) {
    const short = await count({ model, mode: "recurrent", length: 3 });
    assertEquals(await count({ model, mode: "recurrent", length: 40 }), short);
    assertEquals(short.totalBytes, short.weightBytes + short.stateBytes + short.activationBytes);
  }
});

Deno.test("countMemory() counts a cache of exactly the context, and no state without one", async () => {
  const cached = await count({ model: "transformer", mode: "cached", length: 40 });
  assertEquals(cached.stateBytes, 4 * 2 * 40 * 32 * 4); // layers, keys and values, tokens, channels, bytes
  const full = await count({ model: "transformer", mode: "full", length: 40 });
  assertEquals(full.stateBytes, 0);
  assert(full.activationBytes > cached.stateBytes + cached.activationBytes);
});

Deno.test("countAll() has a row for each way at each length, equal to its separate count", async () => {
  const rows = await countAll("reference", "matched", [3, 40]);
  assertEquals(rows.length, 2 * ways.length);
  for (const { preset, backend, ...row } of rows) {
    assertEquals([preset, backend], ["matched", "reference"]);
    assertEquals({ ...row, ...await count(row) }, row);
  }
});

Deno.test("measureLatency() has a row for each way at each length", async () => {
  using backend = createReference();
  const effort = { warmUpMs: 1, leadInMs: 0, sampleMs: 0.01, rounds: 3, budgetMs: 1 };
  const latency = await measureLatency([backend], ["matched"], [2, 5], effort);
  assertEquals(latency.length, 2 * ways.length);
  for (const row of latency) {
    assertEquals([row.preset, row.backend, row.p99Ms, row.samples], ["matched", "reference", null, 3]);
    assert(row.medianMs > 0);
  }
});

Deno.test("Step gives the same result each time, also for a context of a single token", async () => {
  using backend = createReference();
  for (const { model, mode } of ways) {
    const subject = await makeSubject("matched", model, backend);
    for (const length of [1, 7]) {
      const [step] = await checkedSteps(model, subject, [mode], taskSequence(length));
      const before = await step.nextLogits();
      const { bytes } = backend.memory();
      step.run(3);
      if (mode !== "full") backend.free(step.fork());
      assertEquals(backend.memory().bytes, bytes);
      assertEquals(await step.nextLogits(), before);
    }
  }
});

Deno.test("Step frees the state that it keeps", async () => {
  using backend = createReference();
  const subject = await makeSubject("matched", "transformer", backend);
  const { bytes } = backend.memory();
  {
    using _step = new Step(subject, "cached", taskSequence(9));
    assert(backend.memory().bytes > bytes);
  }
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("checkLogits() refuses logits that are not finite, too different, or of another length", () => {
  const expected = Float32Array.of(1, -2, 3);
  checkLogits("x", Float32Array.of(1.0001, -2, 3), expected);
  for (const wrong of [[1.001, -2, 3], [1, NaN, 3], [1, Infinity, 3], [1, -2]]) {
    assertThrows(() => checkLogits("x", Float32Array.from(wrong), expected), Error, "Cannot measure x");
  }
  assertThrows(() => checkLogits("x", Float32Array.of(NaN), Float32Array.of(NaN)), Error);
});

Deno.test("taskSequence() of a smaller length is the beginning of a longer one", () => {
  assertEquals(taskSequence(1).length, 1);
  assertEquals(taskSequence(300).slice(0, 40), taskSequence(40));
});

Deno.test("openBackend() refuses an unknown backend", async () => {
  await assertRejects(() => openBackend("cuda"), RangeError, 'current value is "cuda"');
});
