import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { motifTask, sampleSequences, trainAndTest } from "../../src/tasks/mod.ts";
import { listSequences, tinyTasks } from "./tiny_task.ts";

const task = motifTask({}, 1);

Deno.test("sampleSequences() draws sequences with the probabilities of the equation", () => {
  const length = 8;
  const count = 20_000;
  for (const tiny of tinyTasks) {
    const expected = listSequences(tiny, length);
    const drawn = new Map<string, number>();
    for (const tokens of sampleSequences(tiny, { count, length, seed: 1 })) {
      const key = tokens.join();
      assert(expected.has(key), `drew ${key}, which the task cannot make`);
      drawn.set(key, (drawn.get(key) ?? 0) + 1);
    }
    let chiSquare = 0;
    let kinds = -1;
    for (const [key, p] of expected) {
      if (count * p < 5) continue; // too rare for a normal approximation
      chiSquare += ((drawn.get(key) ?? 0) - count * p) ** 2 / (count * p);
      kinds++;
    }
    assert(
      chiSquare < kinds + 5 * Math.sqrt(2 * kinds),
      `chi-square ${chiSquare}, ${kinds} degrees of freedom`,
    );
  }
});

Deno.test("sampleSequences() keeps a slot's token with probability 1 - flip + flip / alternatives", () => {
  // A cycle of one motif shows its slot in every visit.
  for (const [alternatives, flip, kept] of [[2, 1 / 4, 7 / 8], [4, 1 / 2, 5 / 8], [3, 0, 1], [3, 1, 1 / 3]]) {
    const one = motifTask({ motifs: 1, shortestCycle: 1, longestCycle: 1, alternatives, flip }, 1);
    const sequences = sampleSequences(one, { count: 50, length: 8 * 101, seed: 1 });
    const { slot } = one.bank[0];
    const again = sequences.flatMap((tokens) =>
      Array.from({ length: 100 }, (_, i) => tokens[8 * i + slot] === tokens[8 * i + 8 + slot] ? 1 : 0)
    );
    const share = again.reduce<number>((sum, x) => sum + x, 0) / again.length;
    const deviation = Math.sqrt(kept * (1 - kept) / again.length);
    assert(Math.abs(share - kept) <= 5 * deviation, `${share} were kept, expected ${kept}`);
  }
});

Deno.test("sampleSequences() determines sequence i by the seed and i alone", () => {
  const ten = sampleSequences(task, { count: 10, length: 64, seed: 5 });
  assertEquals(sampleSequences(task, { count: 4, length: 64, seed: 5 }), ten.slice(0, 4));
  assertEquals(
    sampleSequences(task, { count: 10, length: 32, seed: 5 }),
    ten.map((tokens) => tokens.slice(0, 32)),
  );
  assertNotEquals(sampleSequences(task, { count: 10, length: 64, seed: 6 }), ten);
  assertEquals(new Set(ten.map(String)).size, 10);
  assertEquals(sampleSequences(task, { count: 0, length: 64, seed: 5 }), []);
});

Deno.test("sampleSequences() cycles through the lengths", () => {
  const sequences = sampleSequences(task, { count: 5, length: [32, 100, 256], seed: 5 });
  assertEquals(sequences.map(({ length }) => length), [32, 100, 256, 32, 100]);
  const [, second] = sampleSequences(task, { count: 2, length: 100, seed: 5 });
  assertEquals(sequences[1], second);
});

Deno.test("sampleSequences() draws ids below the vocabulary", () => {
  for (const tokens of sampleSequences(task, { count: 50, length: 128, seed: 5 })) {
    assert(tokens.every((id) => id < 64));
  }
});

Deno.test("trainAndTest() returns disjoint sets", () => {
  // With 32 tokens and cycles of 2, the same sequence is often drawn twice, so duplicates must be removed.
  const crowded = motifTask({ motifs: 4, longestCycle: 2 }, 1);
  const { train, test } = trainAndTest(crowded, { train: 300, test: 30, length: 32, seed: 1 });
  assertEquals([train.length, test.length], [300, 30]);
  const held = new Set(test.map(String));
  assertEquals(train.filter((tokens) => held.has(String(tokens))), []);
  const twice = sampleSequences(crowded, { count: 330, length: 32, seed: 1 }).map(String);
  assert(
    twice.slice(30).some((tokens) => twice.slice(0, 30).includes(tokens)),
    "the test needs a crowded task",
  );
});

Deno.test("trainAndTest() returns the same sets for the same seed, each independent of the other's size", () => {
  const options = { train: 20, test: 10, length: [32, 64], seed: 1 };
  const sets = trainAndTest(task, options);
  assertEquals(trainAndTest(task, options), sets);
  assertEquals(trainAndTest(task, { ...options, train: 5 }), {
    train: sets.train.slice(0, 5),
    test: sets.test,
  });
  assertEquals(trainAndTest(task, { ...options, test: 3 }), {
    train: sets.train,
    test: sets.test.slice(0, 3),
  });
  assertNotEquals(trainAndTest(task, { ...options, seed: 2 }), sets);
  assertEquals(sets.test.map(({ length }) => length), [32, 64, 32, 64, 32, 64, 32, 64, 32, 64]);
});

Deno.test("trainAndTest() leaves the test set a fair sample", () => {
  const [tiny] = tinyTasks;
  const expected = listSequences(tiny, 4);
  const count = 5000;
  const { test } = trainAndTest(tiny, { train: 0, test: count, length: 4, seed: 1 });
  for (const [key, p] of expected) {
    const drawn = test.filter((tokens) => tokens.join() === key).length;
    assert(Math.abs(drawn - count * p) < 6 * Math.sqrt(count * p * (1 - p)) + 1);
  }
});

Deno.test("trainAndTest() refuses a task with too few sequences", () => {
  const one = motifTask({ motifs: 1, shortestCycle: 1, longestCycle: 1, alternatives: 1 }, 1);
  assertThrows(
    () => trainAndTest(one, { train: 1, test: 2, length: 16, seed: 1 }),
    RangeError,
    "Cannot draw train and test sets: the task must have more different sequences of 16 tokens than the test set " +
      "takes, current test set is of 2 sequences",
  );
});

Deno.test("sampleSequences() and trainAndTest() refuse options that are out of range", () => {
  const sample = { count: 1, length: 8, seed: 1 };
  const both = { train: 1, test: 1, length: 8, seed: 1 };
  const cases: [keyof typeof sample | keyof typeof both, number, string][] = [
    ["count", -1, "count must be an integer at least 0, current value is -1"],
    ["count", NaN, "count must be an integer at least 0, current value is NaN"],
    ["train", 1.5, "train must be an integer at least 0, current value is 1.5"],
    ["test", -1, "test must be an integer at least 0, current value is -1"],
    ["length", 1, "length must be an integer at least 2, current value is 1"],
    ["length", NaN, "length must be an integer at least 2, current value is NaN"],
    ["seed", 0.5, "seed must be an integer at least 0, current value is 0.5"],
  ];
  for (const [key, value, words] of cases) {
    if (key in sample) {
      const call = () => sampleSequences(task, { ...sample, [key]: value });
      assertThrows(call, RangeError, `Cannot sample sequences: ${words}`);
    }
    if (key in both) {
      const call = () => trainAndTest(task, { ...both, [key]: value });
      assertThrows(call, RangeError, `Cannot draw train and test sets: ${words}`);
    }
  }
  assertThrows(
    () => sampleSequences(task, { ...sample, length: [] }),
    TypeError,
    "Cannot sample sequences: length must be a number or a list of at least one, current value is an array of length 0",
  );
  assertThrows(
    () => trainAndTest(task, { ...both, length: [32, 0] }),
    RangeError,
    "Cannot draw train and test sets: length must be an integer at least 2, current value is 0",
  );
});
