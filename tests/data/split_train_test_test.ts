import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { splitTrainTest } from "@seqmix/seqmix";
import { testFailures, wrong } from "../helpers.ts";

const all = Array.from({ length: 50 }, (_, i) => [i, i + 1]);

Deno.test("splitTrainTest() puts every sequence into one set, in its order", () => {
  for (const [test, count] of [[1, 1], [0.001, 1], [0.2, 10], [0.99999, 49], [49, 49], [17, 17]]) {
    const sets = splitTrainTest(all, { test, seed: 3 });
    assertEquals([sets.train.length, sets.test.length], [50 - count, count]);
    assertEquals([...sets.train, ...sets.test].sort((a, b) => a[0] - b[0]), all);
    for (const set of [sets.train, sets.test]) assertEquals(set, set.toSorted((a, b) => a[0] - b[0]));
  }
});

Deno.test("splitTrainTest() draws the test set by the seed, each sequence equally often", () => {
  const of = (seed: number) => splitTrainTest(all, { test: 10, seed }).test;
  assertEquals(of(1), of(1));
  assertNotEquals(of(1), of(2));
  const counts = new Array(50).fill(0);
  for (let seed = 0; seed < 500; seed++) for (const [i] of of(seed)) counts[i]++;
  assert(counts.every((count) => count > 60 && count < 145), counts.join());
});

testFailures("splitTrainTest()", [
  [
    "one sequence",
    () => splitTrainTest([[1]], { test: 1, seed: 1 }),
    TypeError,
    "Cannot split sequences: sequences must be a list of at least 2, current value is an array of length 1",
  ],
  [
    "all for the test",
    () => splitTrainTest([[1], [2]], { test: 2, seed: 1 }),
    RangeError,
    "Cannot split sequences: test must be between 0 and 1 or an integer from 1 to 1, current value is 2",
  ],
  [
    "none for the test",
    () => splitTrainTest([[1], [2]], { test: 0, seed: 1 }),
    RangeError,
    "Cannot split sequences: test must be between 0 and 1 or an integer from 1 to 1, current value is 0",
  ],
  [
    "no seed",
    () => splitTrainTest([[1], [2]], wrong({ test: 1 })),
    TypeError,
    "Cannot split sequences: seed must be a number, current value is undefined",
  ],
  [
    "an unknown option",
    () => splitTrainTest([[1], [2]], wrong({ tests: 1, seed: 1 })),
    TypeError,
    "Cannot split sequences: options must have known names (perhaps test), current one is tests",
  ],
]);
