import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Batch, splitBatch } from "../../src/train/batches.ts";
import {
  type Board,
  dealParts,
  drawParts,
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
    return fc.record({ inputs: sequences, targets: sequences });
  },
);

const rows = (count: number) => Array.from({ length: count }, () => [1, 2, 3]);
const batchOf = (count: number): Batch => ({ inputs: rows(count), targets: rows(count) });
const largest = { inputs: Array(5).fill([1, 2, 3, 4, 5]), targets: Array(5).fill([2, 3, 4, 5, 6]) };
const open = (batch: Batch, workers = 2): Board => openBoard(workers, new Float32Array(3), batch)!;

Deno.test("takeQuestion() gives the batch that was put up, after larger ones too, and numbers that are no ids", () => {
  const board = open(largest);
  putQuestion(board, 1, largest);
  let number = 1;
  fc.assert(fc.property(batches, (batch) => {
    putQuestion(board, ++number, batch);
    const { inputs, targets } = takeQuestion(board, 1, number - 1)!.batch;
    assertEquals(
      { inputs: inputs.map((x) => Array.from(x)), targets: targets.map((x) => Array.from(x)) },
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

Deno.test("fits() says whether a batch finds room, its parts too", () => {
  const board = open({ inputs: [[1, 2], [3, 4]], targets: [[2, 3], [4, 5]] });
  assert(fits(board, { inputs: [[1, 2, 3, 4]], targets: [[2, 3, 4, 5]] }));
  assert(!fits(board, { inputs: [[1, 2, 3, 4, 5]], targets: [[2, 3, 4, 5, 6]] }));
  assert(!fits(board, { inputs: [[1], [1], [1]], targets: [[2], [2], [2]] }));
});

Deno.test("drawParts() gives every part to one worker, its own to each, in whatever order they come", () => {
  const workers = 3;
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
    fc.infiniteStream(fc.nat(workers - 1)),
    (sizes, turns) => {
      const board = open(batchOf(40), workers);
      for (const [i, size] of sizes.entries()) {
        const first = putQuestion(board, i + 1, batchOf(size)),
          parts = splitBatch(batchOf(size), workers).length;
        const draws = Array.from({ length: workers }, (_, worker) => drawParts(board, first, worker, parts));
        const drawn: number[][] = draws.map(() => []), busy = new Set(draws.keys());
        while (busy.size > 0) {
          const worker = turns.next().value;
          const { value, done } = draws[worker].next();
          if (done) busy.delete(worker);
          else drawn[worker].push(value);
        }
        assertEquals(drawn.flat().sort((a, b) => a - b), [...Array(parts).keys()]);
        drawn.forEach(([own], worker) => worker < parts && assertEquals(own, worker));
      }
    },
  ));
});

Deno.test("drawParts() gives every part to one of two threads that draw at once", async () => {
  const board = open(batchOf(8)), parts = 200_000;
  const workers = [0, 1].map(() =>
    new Worker(new URL("./draw_worker.ts", import.meta.url), { type: "module" })
  );
  const ask = (worker: number, first: number, parts: number) =>
    new Promise<number[]>((resolve) => {
      workers[worker].onmessage = ({ data }) => resolve(data);
      workers[worker].postMessage({ board, first, worker, parts });
    });
  // Nothing to draw: they are awake then.
  await Promise.all([ask(0, 0, 2), ask(1, 0, 2)]);
  const drawn = await Promise.all([ask(0, 0, parts), ask(1, 0, parts)]);
  workers.forEach((worker) => worker.terminate());
  assertEquals(drawn.flat().length, parts);
  assertEquals(new Set(drawn.flat()).size, parts);
  assert(drawn.every((parts) => parts.length > 1), "one thread drew all");
});

Deno.test("drawParts() draws nothing of the next question for the last", () => {
  const board = open(batchOf(8)), parts = splitBatch(batchOf(8), 2).length;
  const late = drawParts(board, putQuestion(board, 1, batchOf(8)), 1, parts);
  late.next();
  assertEquals([...drawParts(board, 0, 0, parts)].length, parts - 1);
  const first = putQuestion(board, 2, batchOf(8));
  assert(late.next().done);
  assertEquals([...drawParts(board, first, 0, parts)].length, parts - 1);
});

Deno.test("dealParts() gives every part to one worker", () => {
  const dealt = [0, 1, 2].map((worker) => [...dealParts(worker, 3, 8)]);
  assertEquals(dealt, [[0, 3, 6], [1, 4, 7], [2, 5]]);
});

Deno.test("isAnswered() tells of the number and the part that it is asked for alone", () => {
  const board = open(largest);
  putQuestion(board, 1, largest);
  assert(!isAnswered(board, 0, 1, 0));
  putAnswer(board, 1, 0, 0.5);
  assert(isAnswered(board, 0, 1, 0) && !isAnswered(board, 0, 1, 1) && !isAnswered(board, 0, 2, 0));
  assertEquals(board.losses[0], 0.5);
});

Deno.test("isToBeWoken() says once of each who looked and found nothing, and of who has not heard of the board", () => {
  const board = open(largest), asleep = () => [0, 1].map((worker) => isToBeWoken(board, worker));
  assertEquals([asleep(), asleep()], [[false, true], [false, false]]);
  putQuestion(board, 1, largest);
  takeQuestion(board, 1, 0);
  assertEquals(asleep(), [false, false]);
  takeQuestion(board, 1, 1);
  assertEquals([asleep(), asleep()], [[false, true], [false, false]]);
  isAnswered(board, 0, 1, 0);
  assertEquals([asleep(), asleep()], [[true, false], [false, false]]);
  putAnswer(board, 1, 0, 0.5);
  isAnswered(board, 0, 1, 0);
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
