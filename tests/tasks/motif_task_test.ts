import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { motifTask, type MotifTaskConfig } from "../../src/tasks/mod.ts";

Deno.test("motifTask() makes a bank with its sizes", () => {
  const { config, bank } = motifTask({}, 1);
  assertEquals(config, {
    vocabulary: 64,
    motifs: 16,
    motifLength: 8,
    shortestCycle: 2,
    longestCycle: 4,
    alternatives: 2,
    flip: 0.25,
  });
  assertEquals(bank.length, 16);
  for (const { tokens, slot, alternatives } of bank) {
    assertEquals(tokens.length, 8);
    assert(slot >= 1 && slot < 8);
    assertEquals(alternatives.length, 2);
    assertEquals(new Set(alternatives).size, 2);
    assert([...tokens, ...alternatives].every((id) => Number.isInteger(id) && id >= 0 && id < 64));
  }
  assertEquals(new Set(motifTask({ motifs: 200 }, 1).bank.map(({ slot }) => slot)).size, 7);
});

Deno.test("motifTask() is the same for the same seed and different for others", () => {
  assertEquals(motifTask({ motifs: 5 }, 3), motifTask({ motifs: 5 }, 3));
  assertNotEquals(motifTask({ motifs: 5 }, 3).bank, motifTask({ motifs: 5 }, 4).bank);
});

Deno.test("motifTask() accepts every size up to its limit", () => {
  const least = { motifs: 1, motifLength: 2, shortestCycle: 1, longestCycle: 1, alternatives: 1, flip: 0 };
  assertEquals(motifTask({ ...least, vocabulary: 2 }, 0).bank.length, 1);
  assertEquals(motifTask({ alternatives: 64, longestCycle: 16, flip: 1 }, 0).bank[0].alternatives.length, 64);
});

const outOfRange: [Partial<MotifTaskConfig>, string][] = [
  [{ vocabulary: 1 }, "vocabulary must be an integer from 2 to 65536, current value is 1"],
  [{ vocabulary: NaN }, "vocabulary must be an integer from 2 to 65536, current value is NaN"],
  [{ vocabulary: 65537 }, "vocabulary must be an integer from 2 to 65536, current value is 65537"],
  [{ motifs: 0 }, "motifs must be an integer at least 1, current value is 0"],
  [{ motifs: 2.5 }, "motifs must be an integer at least 1, current value is 2.5"],
  [{ motifLength: 1 }, "motifLength must be an integer at least 2, current value is 1"],
  [{ motifLength: Infinity }, "motifLength must be an integer at least 2, current value is Infinity"],
  [{ shortestCycle: 0 }, "shortestCycle must be an integer from 1 to 16, current value is 0"],
  [{ shortestCycle: 5 }, "longestCycle must be an integer from 5 to 16, current value is 4"],
  [{ longestCycle: 17 }, "longestCycle must be an integer from 2 to 16, current value is 17"],
  [{ longestCycle: NaN }, "longestCycle must be an integer from 2 to 16, current value is NaN"],
  [{ alternatives: 0 }, "alternatives must be an integer from 1 to 64, current value is 0"],
  [{ alternatives: 65 }, "alternatives must be an integer from 1 to 64, current value is 65"],
  [{ flip: -0.1 }, "flip must be from 0 to 1, current value is -0.1"],
  [{ flip: 1.1 }, "flip must be from 0 to 1, current value is 1.1"],
  [{ flip: NaN }, "flip must be from 0 to 1, current value is NaN"],
];

Deno.test("motifTask() refuses sizes out of range", () => {
  for (const [config, words] of outOfRange) {
    assertThrows(() => motifTask(config, 1), RangeError, `Cannot make a motif task: ${words}`);
  }
  assertThrows(
    () => motifTask({}, -1),
    RangeError,
    "Cannot make a motif task: seed must be an integer at least 0, current value is -1",
  );
});

Deno.test("motifTask() refuses values that are not numbers", () => {
  assertThrows(
    () => motifTask({ flip: "a quarter" as unknown as number }, 1),
    TypeError,
    'Cannot make a motif task: flip must be a number, current value is "a quarter"',
  );
  assertThrows(
    () => motifTask({ motifs: null as unknown as number }, 1),
    TypeError,
    "Cannot make a motif task: motifs must be a number, current value is null",
  );
});
