import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Batch } from "../../src/models/batches.ts";
import {
  type Board,
  fits,
  isAnswered,
  isToBeWoken,
  openBoard,
  putAnswer,
  putQuestion,
  takeQuestion,
} from "../../src/train/board.ts";

/** `rows` sequences of one length, of whatever numbers; both at most 5. */
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
const open = (batch: Batch, workers = 2): Board => openBoard(workers, new Float32Array(3), batch)!;

Deno.test("takeQuestion() gives the batch that was put up, after larger ones too, and numbers that are no ids", () => {
  const board = open(largest);
  putQuestion(board, 1, largest);
  let number = 1;
  fc.assert(fc.property(batches, (batch) => {
    putQuestion(board, ++number, batch);
    const { inputs, targets, weights } = takeQuestion(board, 1, number - 1)!.batch;
    const listsOf = (rows: Batch["inputs"]) => rows.map((row) => Array.from(row));
    assertEquals(
      { inputs: listsOf(inputs), targets: listsOf(targets), weights: weights && listsOf(weights) },
      batch,
    );
  }));
});

Deno.test("takeQuestion() gives what is newer than the last alone, however many were missed", () => {
  const board = open(largest);
  assertEquals(takeQuestion(board, 1, 0), undefined);
  putQuestion(board, 1, largest);
  putQuestion(board, 2, largest);
  assertEquals(takeQuestion(board, 1, 0)?.number, 2);
  assertEquals(takeQuestion(board, 1, 2), undefined);
});

Deno.test("fits() says whether a batch finds room", () => {
  const board = open({ inputs: [[1, 2], [3, 4]], targets: [[2, 3], [4, 5]] });
  assert(fits(board, { inputs: [[1, 2, 3, 4]], targets: [[2, 3, 4, 5]] }));
  assert(!fits(board, { inputs: [[1, 2, 3, 4, 5]], targets: [[2, 3, 4, 5, 6]] }));
  assert(!fits(board, { inputs: [[1, 2, 3, 4]], targets: [[2, 3, 4, 5]], weights: [[1, 1, 1, 0]] }));
});

Deno.test("isAnswered() tells of the number and the worker that it is asked for alone", () => {
  const board = open(largest);
  putQuestion(board, 1, largest);
  assert(!isAnswered(board, 1, 1));
  putAnswer(board, 1, 1, 0.5);
  assert(isAnswered(board, 1, 1) && !isAnswered(board, 0, 1) && !isAnswered(board, 1, 2));
  assertEquals(board.losses[1], 0.5);
});

Deno.test("isToBeWoken() says once of each who looked and found nothing, and of who has not heard of the board", () => {
  const board = open(largest), asleep = () => [0, 1].map((worker) => isToBeWoken(board, worker));
  assertEquals([asleep(), asleep()], [[false, true], [false, false]]);
  putQuestion(board, 1, largest);
  takeQuestion(board, 1, 0);
  assertEquals(asleep(), [false, false]);
  takeQuestion(board, 1, 1);
  assertEquals([asleep(), asleep()], [[false, true], [false, false]]);
  isAnswered(board, 1, 1);
  assertEquals([asleep(), asleep()], [[true, false], [false, false]]);
  putAnswer(board, 1, 1, 0.5);
  isAnswered(board, 1, 1);
  assertEquals(asleep(), [false, false]);
});

Deno.test("openBoard() gives none where memory can't be shared", () => {
  const { SharedArrayBuffer } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    assertEquals(openBoard(2, new Float32Array(3), largest), undefined);
  } finally {
    Object.assign(globalThis, { SharedArrayBuffer });
  }
});
