import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  ceiling,
  evaluateNgram,
  fitNgram,
  idealProbabilities,
  motifTask,
  sampleSequences,
  trainAndTest,
} from "../../src/tasks/mod.ts";
import { listSequences, tinyTasks } from "./tiny_task.ts";

const task = motifTask({}, 1);

Deno.test("idealProbabilities() equals the sum over all sequences of the task", () => {
  const length = 9;
  for (const tiny of tinyTasks) {
    const sequences = listSequences(tiny, length);
    // The probability of every prefix, as the sum over the sequences that start with it.
    const beginnings = new Map<string, number>();
    for (const [key, p] of sequences) {
      const tokens = key.split(",");
      for (let t = 0; t <= length; t++) {
        const prefix = tokens.slice(0, t).join();
        beginnings.set(prefix, (beginnings.get(prefix) ?? 0) + p);
      }
    }
    assertAlmostEquals(beginnings.get("")!, 1, 1e-12);
    for (const [key, p] of beginnings) {
      const prefix = key === "" ? [] : key.split(",").map(Number);
      if (prefix.length === length) continue;
      const probabilities = idealProbabilities(tiny, prefix);
      assertEquals(probabilities.length, tiny.config.vocabulary);
      probabilities.forEach((probability, id) => {
        assertAlmostEquals(probability, (beginnings.get([...prefix, id].join()) ?? 0) / p, 1e-12);
      });
    }
  }
});

Deno.test("idealProbabilities() sums to one", () => {
  for (const tokens of sampleSequences(task, { count: 5, length: 256, seed: 3 })) {
    for (const t of [0, 1, 7, 8, 9, 31, 255]) {
      const probabilities = idealProbabilities(task, tokens.subarray(0, t));
      assertAlmostEquals(probabilities.reduce((sum, p) => sum + p, 0), 1, 1e-12);
      assert(probabilities.every((p) => p >= 0));
    }
  }
});

Deno.test("ceiling() has the entropy of the task as its expected loss", () => {
  const length = 8;
  for (const tiny of tinyTasks) {
    const sequences = listSequences(tiny, length);
    let expectedLoss = 0;
    let entropy = 0;
    const first = new Map<string, number>();
    for (const [key, p] of sequences) {
      expectedLoss += p * ceiling(tiny, [key.split(",").map(Number)]).loss;
      entropy -= p * Math.log(p);
      first.set(key[0], (first.get(key[0]) ?? 0) + p);
    }
    // The first token is not predicted, so its entropy is not in the loss.
    for (const p of first.values()) entropy += p * Math.log(p);
    assertAlmostEquals(expectedLoss, entropy / (length - 1), 1e-12);
  }
});

Deno.test("ceiling() scores tokens 1 to T - 1 by the ideal probabilities", () => {
  const sequences = sampleSequences(task, { count: 4, length: [40, 17], seed: 3 });
  const score = ceiling(task, sequences);
  const losses = Array.from({ length: 39 }, (): number[] => []);
  const hits = Array.from({ length: 39 }, (): number[] => []);
  sequences.forEach((tokens, i) => {
    for (let t = 1; t < tokens.length; t++) {
      const probabilities = idealProbabilities(task, tokens.subarray(0, t));
      const best = probabilities.indexOf(Math.max(...probabilities));
      losses[t - 1].push(-Math.log(probabilities[tokens[t]]));
      hits[t - 1].push(best === tokens[t] ? 1 : 0);
      assertEquals(score.predicted[i][t - 1], best);
    }
    assertEquals(score.predicted[i].length, tokens.length - 1);
  });
  const mean = (numbers: number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  assertAlmostEquals(score.loss, mean(losses.flat()), 1e-12);
  assertAlmostEquals(score.accuracy, mean(hits.flat()), 1e-12);
  assertAlmostEquals(score.perplexity, Math.exp(score.loss), 1e-12);
  assertEquals(score.lossByPosition.length, 39);
  score.lossByPosition.forEach((loss, t) => assertAlmostEquals(loss, mean(losses[t]), 1e-12));
  score.accuracyByPosition.forEach((accuracy, t) => assertAlmostEquals(accuracy, mean(hits[t]), 1e-12));
});

Deno.test("ceiling() claims the accuracy that it reaches", () => {
  const sequences = sampleSequences(task, { count: 200, length: 64, seed: 4 });
  let promised = 0;
  let variance = 0;
  for (const tokens of sequences) {
    for (let t = 1; t < 64; t++) {
      const best = Math.max(...idealProbabilities(task, tokens.subarray(0, t)));
      promised += best;
      variance += best * (1 - best);
    }
  }
  const reached = ceiling(task, sequences).accuracy * 200 * 63;
  assert(Math.abs(reached - promised) < 5 * Math.sqrt(variance), `promised ${promised}, reached ${reached}`);
});

Deno.test("ceiling() leaves n-grams of order 1 to 5 at least 10 points behind at length 128", () => {
  for (const seed of [1, 2, 3]) {
    const bank = motifTask({}, seed);
    const { train, test } = trainAndTest(bank, { train: 500, test: 60, length: 128, seed: 5 });
    const { accuracy, loss } = ceiling(bank, test);
    assert(accuracy > 0.93 && accuracy < 0.98, `the ceiling is ${accuracy}`);
    for (const order of [1, 2, 3, 4, 5]) {
      const ngram = evaluateNgram(fitNgram(train, { order, vocabulary: 64 }), test);
      assert(ngram.accuracy < accuracy - 0.1, `order ${order}: ${ngram.accuracy}, the ceiling ${accuracy}`);
      assert(ngram.loss > loss, `order ${order}: loss ${ngram.loss}, the ceiling ${loss}`);
    }
  }
});

Deno.test("ceiling() and idealProbabilities() refuse sequences that the task can't generate", () => {
  const { tokens } = task.bank[0];
  const impossible = [tokens[0], ...Array(7).fill(tokens[0])];
  assertThrows(
    () => ceiling(task, [impossible]),
    RangeError,
    `Cannot compute the ceiling: tokens must be a sequence of the task, current token `,
  );
  assertThrows(
    () => idealProbabilities(task, impossible),
    RangeError,
    `Cannot compute ideal probabilities: tokens must be a sequence of the task, current token `,
  );
  for (const id of [64, -1, NaN, 0.5]) {
    const words = `token ids must be integers from 0 to 63, current id is ${id} at token 1`;
    assertThrows(() => ceiling(task, [[0, id]]), RangeError, `Cannot compute the ceiling: ${words}`);
    assertThrows(
      () => idealProbabilities(task, [0, id]),
      RangeError,
      `Cannot compute ideal probabilities: ${words}`,
    );
  }
});

Deno.test("ceiling() and idealProbabilities() refuse values that are not sequences", () => {
  assertThrows(
    () => ceiling(task, []),
    TypeError,
    "Cannot compute the ceiling: sequences must be a list of at least one sequence, current value is an array of length 0",
  );
  assertThrows(
    () => ceiling(task, [[3]]),
    TypeError,
    "Cannot compute the ceiling: sequences[0] must be a list of at least 2 token ids, current length is 1",
  );
  assertThrows(
    () => idealProbabilities(task, 3 as unknown as number[]),
    TypeError,
    "Cannot compute ideal probabilities: prefix must be a list of at least 0 token ids, current value is 3",
  );
});
