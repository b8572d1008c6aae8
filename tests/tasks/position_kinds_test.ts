import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { randomSource } from "../../src/random.ts";
import {
  accuracyByKind,
  ceiling,
  evaluateNgram,
  fitNgram,
  motifTask,
  type PositionKind,
  positionKinds,
  trainAndTest,
} from "../../src/tasks/mod.ts";
import { drawSequence } from "../../src/tasks/sequences.ts";

const task = motifTask({}, 1);

Deno.test("positionKinds() names the memory that the drawn cycle requires", () => {
  for (let i = 0; i < 100; i++) {
    const { tokens, cycle } = drawSequence(task, 100, randomSource(1, i));
    const expected: PositionKind[] = [];
    for (let visit = 0; visit * 8 < 100; visit++) {
      const again = visit >= cycle.length;
      const kinds: PositionKind[] = Array(8).fill("motif");
      kinds[0] = again ? "order" : "new";
      kinds[task.bank[cycle[visit % cycle.length]].slot] = again ? "slot" : "new";
      expected.push(...kinds);
    }
    assertEquals(positionKinds(task, tokens), expected.slice(0, 100));
  }
});

Deno.test("positionKinds() uses the more probable of two possible cycles", () => {
  // Two equal motifs: a slot that alternates is two motifs with constant slots, or one motif that flips every time.
  const { config } = motifTask({
    vocabulary: 3,
    motifs: 2,
    motifLength: 2,
    shortestCycle: 1,
    longestCycle: 2,
  }, 1);
  const motif = { tokens: [0, 1], slot: 1, alternatives: [1, 2] };
  const twins = { config, bank: [motif, motif] };
  assertEquals(
    positionKinds(twins, [0, 1, 0, 2, 0, 1, 0, 2]),
    ["new", "new", "new", "new", "order", "slot", "order", "slot"],
  );
  assertEquals(
    positionKinds(twins, [0, 1, 0, 1, 0, 1, 0, 1]),
    ["new", "new", "order", "slot", "order", "slot", "order", "slot"],
  );
});

Deno.test("accuracyByKind() distinguishes the ideal predictor's memory from an n-gram's", () => {
  const { train, test } = trainAndTest(task, { train: 300, test: 60, length: 128, seed: 5 });
  const score = ceiling(task, test);
  const ideal = accuracyByKind(task, test, score.predicted);
  const kinds = Object.values(ideal);
  const counted = kinds.reduce((sum, { count }) => sum + count, 0);
  assertEquals(counted, 60 * 127);
  const hits = kinds.reduce((sum, { count, accuracy }) => sum + count * accuracy, 0);
  assertAlmostEquals(hits / counted, score.accuracy, 1e-12);
  assert(ideal.motif.accuracy > 0.99);
  assert(ideal.order.accuracy > 0.95);
  assert(Math.abs(ideal.slot.accuracy - 7 / 8) < 5 * Math.sqrt(7 / 64 / ideal.slot.count));
  assert(ideal.new.accuracy < 0.5);

  const model = fitNgram(train, { order: 4, vocabulary: 64 });
  const ngram = accuracyByKind(task, test, evaluateNgram(model, test).predicted);
  assert(ngram.motif.accuracy > 0.95);
  assert(ngram.slot.accuracy < 0.65 && ngram.order.accuracy < 0.25);
});

Deno.test("accuracyByKind() is NaN where there is nothing to predict", () => {
  const { tokens } = drawSequence(task, 8, randomSource(1));
  const { slot, order } = accuracyByKind(task, [tokens], [tokens.subarray(1)]);
  assertEquals([slot, order], [{ count: 0, accuracy: NaN }, { count: 0, accuracy: NaN }]);
});

Deno.test("positionKinds() and accuracyByKind() refuse sequences that the task can't generate", () => {
  assertThrows(
    () => positionKinds(task, []),
    TypeError,
    "Cannot find position kinds: tokens must be a list of at least 1 token ids, current length is 0",
  );
  assertThrows(
    () => positionKinds(task, [64]),
    RangeError,
    "Cannot find position kinds: token ids must be integers from 0 to 63, current id is 64 at token 0",
  );
  assertThrows(
    () => positionKinds(task, Array(8).fill(task.bank[0].tokens[0])),
    RangeError,
    "Cannot find position kinds: tokens must be a sequence of the task, current token ",
  );
  assertThrows(
    () => accuracyByKind(task, [], []),
    TypeError,
    "Cannot compute accuracy by kind: sequences must be a list of at least one sequence",
  );
  const { tokens } = drawSequence(task, 8, randomSource(1));
  assertThrows(
    () => accuracyByKind(task, [tokens], []),
    TypeError,
    "Cannot compute accuracy by kind: predicted must be 1 lists, current value is an array of length 0",
  );
  assertThrows(
    () => accuracyByKind(task, [tokens], [[1, 2]]),
    TypeError,
    "Cannot compute accuracy by kind: predicted[0] must be at least 7 ids, current length is 2",
  );
});
