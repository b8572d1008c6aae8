import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Batch } from "../../src/models/batches.ts";
import {
  fits,
  hasResult,
  type Mailbox,
  mustWake,
  openMailbox,
  postJob,
  postResult,
  takeJob,
} from "../../src/train/mailbox.ts";

/** Batches of up to 5 sequences of up to 5 arbitrary numbers. */
const batches = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })).chain(
  ([rows, length]) => {
    const sequence = fc.array(fc.double(), { minLength: length, maxLength: length });
    const sequences = fc.array(sequence, { minLength: rows, maxLength: rows });
    return fc.record({
      inputs: sequences,
      targets: sequences,
      weights: fc.option(sequences, { nil: undefined }),
    });
  },
);

const rows = Array(5).fill([1, 2, 3, 4, 5]);
const largest = { inputs: rows, targets: rows, weights: rows };
const open = (batch: Batch, workers = 2): Mailbox => openMailbox(workers, new Float32Array(3), batch)!;

Deno.test("takeJob() returns the posted batch, also after a larger one, with any numbers", () => {
  const mailbox = open(largest);
  postJob(mailbox, 1, largest);
  let number = 1;
  fc.assert(fc.property(batches, (batch) => {
    postJob(mailbox, ++number, batch);
    const { inputs, targets, weights } = takeJob(mailbox, 1, number - 1)!.batch;
    const listsOf = (rows: Batch["inputs"]) => rows.map((row) => Array.from(row));
    assertEquals(
      { inputs: listsOf(inputs), targets: listsOf(targets), weights: weights && listsOf(weights) },
      batch,
    );
  }));
});

Deno.test("takeJob() returns only jobs newer than a number, and the latest if several were missed", () => {
  const mailbox = open(largest);
  assertEquals(takeJob(mailbox, 1, 0), undefined);
  postJob(mailbox, 1, largest);
  postJob(mailbox, 2, largest);
  assertEquals(takeJob(mailbox, 1, 0)?.number, 2);
  assertEquals(takeJob(mailbox, 1, 2), undefined);
});

Deno.test("fits() is true up to the size of the batch that the mailbox was opened for", () => {
  const mailbox = open({ inputs: [[1, 2], [3, 4]], targets: [[2, 3], [4, 5]] });
  assert(fits(mailbox, { inputs: [[1, 2, 3, 4]], targets: [[2, 3, 4, 5]] }));
  assert(!fits(mailbox, { inputs: [[1, 2, 3, 4, 5]], targets: [[2, 3, 4, 5, 6]] }));
  assert(!fits(mailbox, { inputs: [[1, 2, 3, 4]], targets: [[2, 3, 4, 5]], weights: [[1, 1, 1, 0]] }));
});

Deno.test("hasResult() is true only for the worker and the job of a result", () => {
  const mailbox = open(largest);
  postJob(mailbox, 1, largest);
  assert(!hasResult(mailbox, 1, 1));
  postResult(mailbox, 1, 1, 0.5);
  assert(hasResult(mailbox, 1, 1) && !hasResult(mailbox, 0, 1) && !hasResult(mailbox, 1, 2));
  assertEquals(mailbox.losses[1], 0.5);
});

Deno.test("mustWake() is true once for each worker that polled in vain or does not know the mailbox", () => {
  const mailbox = open(largest), asleep = () => [0, 1].map((worker) => mustWake(mailbox, worker));
  assertEquals([asleep(), asleep()], [[false, true], [false, false]]);
  postJob(mailbox, 1, largest);
  takeJob(mailbox, 1, 0);
  assertEquals(asleep(), [false, false]);
  takeJob(mailbox, 1, 1);
  assertEquals([asleep(), asleep()], [[false, true], [false, false]]);
  hasResult(mailbox, 1, 1);
  assertEquals([asleep(), asleep()], [[true, false], [false, false]]);
  postResult(mailbox, 1, 1, 0.5);
  hasResult(mailbox, 1, 1);
  assertEquals(asleep(), [false, false]);
});

Deno.test("openMailbox() returns undefined if memory can't be shared", () => {
  const { SharedArrayBuffer } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    assertEquals(openMailbox(2, new Float32Array(3), largest), undefined);
  } finally {
    Object.assign(globalThis, { SharedArrayBuffer });
  }
});
