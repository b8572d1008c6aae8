import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  evaluateNgram,
  fitNgram,
  motifTask,
  ngramProbabilities,
  sampleSequences,
} from "../../src/tasks/mod.ts";

Deno.test("ngramProbabilities() interpolates the orders as Witten and Bell do", () => {
  const model = fitNgram([[0, 1, 0, 1, 2], [1, 0]], { order: 2, vocabulary: 4 });
  // predicted are 1 0 1 2 and 0: c(·) = {0: 2, 1: 2, 2: 1}, D = 3, c = 5; P(v) = (c(v) + 3/4) / 8
  const unigram = [2.75 / 8, 2.75 / 8, 1.75 / 8, 0.75 / 8];
  assertProbabilities(ngramProbabilities(model, []), unigram);
  // after 1: {0: 2, 2: 1}, D = 2, c = 3
  const after1 = [2, 0, 1, 0].map((count, v) => (count + 2 * unigram[v]) / 5);
  assertProbabilities(ngramProbabilities(model, [1]), after1);
  // the order is 2, so the token before the last is ignored
  assertProbabilities(ngramProbabilities(model, [0, 1]), after1);
  // after 3, which never occurred: as after the empty context
  assertProbabilities(ngramProbabilities(model, [3]), unigram);
});

Deno.test("ngramProbabilities() uses order - 1 tokens", () => {
  const sequences = [[0, 0, 1, 2], [1, 0, 1, 3]];
  const [short, long] = [3, 4].map((order) => fitNgram(sequences, { order, vocabulary: 4 }));
  const afterA = ngramProbabilities(short, [0, 0, 1]);
  assertEquals(afterA, ngramProbabilities(short, [1, 0, 1]));
  assertEquals(afterA[2], afterA[3]);
  assert(ngramProbabilities(long, [0, 0, 1])[2] > ngramProbabilities(long, [1, 0, 1])[2]);
});

Deno.test("ngramProbabilities() are above 0 and sum to one", () => {
  const task = motifTask({}, 1);
  const sequences = sampleSequences(task, { count: 20, length: 64, seed: 1 });
  for (const order of [1, 2, 3, 4]) {
    const model = fitNgram(sequences.slice(0, 15), { order, vocabulary: 64 });
    for (const tokens of sequences) {
      const probabilities = ngramProbabilities(model, tokens.subarray(0, 33));
      assertAlmostEquals(probabilities.reduce((sum, p) => sum + p, 0), 1, 1e-12);
      assert(probabilities.every((p) => p > 0));
    }
  }
});

Deno.test("evaluateNgram() scores tokens 1 to T - 1 by the n-gram probabilities", () => {
  const train = [[0, 1, 2, 0, 1, 2, 2, 1], [2, 1, 0, 0]];
  const model = fitNgram(train, { order: 3, vocabulary: 3 });
  const sequences = [[0, 1, 2, 2, 0], [1, 2]];
  const score = evaluateNgram(model, sequences);
  let loss = 0;
  let hits = 0;
  for (const tokens of sequences) {
    for (let t = 1; t < tokens.length; t++) {
      const probabilities = ngramProbabilities(model, tokens.slice(0, t));
      loss -= Math.log(probabilities[tokens[t]]) / 5;
      hits += probabilities.indexOf(Math.max(...probabilities)) === tokens[t] ? 1 : 0;
    }
  }
  assertAlmostEquals(score.loss, loss, 1e-12);
  assertAlmostEquals(score.accuracy, hits / 5, 1e-12);
  assertEquals(score.predicted.map(({ length }) => length), [4, 1]);
});

Deno.test("fitNgram() with an order beyond the sequences counts what there is", () => {
  const model = fitNgram([[0, 1]], { order: 9, vocabulary: 2 });
  assertProbabilities(ngramProbabilities(model, [0]), [0.125, 0.875]);
});

Deno.test("fitNgram(), ngramProbabilities() and evaluateNgram() refuse values out of range", () => {
  for (const order of [0, 1.5, NaN]) {
    assertThrows(
      () => fitNgram([[0, 1]], { order, vocabulary: 2 }),
      RangeError,
      `Cannot fit an n-gram model: order must be an integer at least 1, current value is ${order}`,
    );
  }
  assertThrows(
    () => fitNgram([[0, 1]], { order: 1, vocabulary: 65537 }),
    RangeError,
    "Cannot fit an n-gram model: vocabulary must be an integer from 1 to 65536, current value is 65537",
  );
  const model = fitNgram([[0, 1]], { order: 1, vocabulary: 2 });
  const words = "token ids must be integers from 0 to 1, current id is 2 at token 1";
  const calls: [string, () => unknown][] = [
    ["fit an n-gram model", () => fitNgram([[0, 2]], { order: 1, vocabulary: 2 })],
    ["compute n-gram probabilities", () => ngramProbabilities(model, [0, 2])],
    ["evaluate an n-gram model", () => evaluateNgram(model, [[0, 2]])],
  ];
  for (const [action, call] of calls) assertThrows(call, RangeError, `Cannot ${action}: ${words}`);
});

Deno.test("fitNgram(), ngramProbabilities() and evaluateNgram() refuse values that are not sequences", () => {
  const model = fitNgram([[0, 1]], { order: 1, vocabulary: 2 });
  const calls: [string, () => unknown][] = [
    ["fit an n-gram model", () => fitNgram([], { order: 1, vocabulary: 2 })],
    ["evaluate an n-gram model", () => evaluateNgram(model, [])],
  ];
  for (const [action, call] of calls) {
    const words = "sequences must be a list of at least one sequence, current value is an array of length 0";
    assertThrows(call, TypeError, `Cannot ${action}: ${words}`);
  }
  assertThrows(
    () => ngramProbabilities(model, undefined as unknown as number[]),
    TypeError,
    "Cannot compute n-gram probabilities: prefix must be a list of at least 0 token ids, current value is undefined",
  );
});

function assertProbabilities(actual: Float64Array, expected: readonly number[]) {
  assertEquals(actual.length, expected.length);
  actual.forEach((p, id) => assertAlmostEquals(p, expected[id], 1e-15));
}
