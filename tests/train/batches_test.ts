import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { batchOrder, splitBatch } from "../../src/train/batches.ts";

const lengths = fc.array(fc.integer({ min: 2, max: 90 }), { minLength: 1, maxLength: 60 });

Deno.test("batchOrder() has every sequence once, and batches of the same sizes in every epoch", () => {
  fc.assert(fc.property(lengths, fc.integer({ min: 1, max: 8 }), fc.nat(9), (lengths, size, epoch) => {
    const batches = batchOrder(lengths, size, 1, epoch);
    assertEquals(batches.flatMap(({ indices }) => indices).sort((a, b) => a - b), [...lengths.keys()]);
    for (const { indices } of batches) assert(indices.length <= size);
    const sizes = (epoch: number) =>
      batchOrder(lengths, size, 1, epoch).map(({ indices, length }) => `${indices.length} of ${length}`)
        .sort();
    assertEquals(sizes(epoch), sizes(epoch + 1));
  }));
});

Deno.test("batchOrder() divides sequences of one length into full batches without padding", () => {
  const batches = batchOrder(Array(21).fill(9), 4, 1, 0);
  assertEquals(batches.map(({ indices }) => indices.length).sort(), [1, 4, 4, 4, 4, 4]);
  assertEquals(new Set(batches.map(({ length }) => length)), new Set([9]));
});

Deno.test("batchOrder() depends on the seed and the epoch alone", () => {
  const lengths = Array.from({ length: 40 }, () => 8);
  assertEquals(batchOrder(lengths, 8, 1, 2), batchOrder(lengths, 8, 1, 2));
  assertNotEquals(batchOrder(lengths, 8, 1, 2), batchOrder(lengths, 8, 1, 3));
  assertNotEquals(batchOrder(lengths, 8, 1, 2), batchOrder(lengths, 8, 2, 2));
});

Deno.test("splitBatch() keeps the order, and makes non-empty, nearly equal parts, the first no larger than the others", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 9 }), (size, workers) => {
    const rows = Array.from({ length: size }, (_, i) => [i]);
    const parts = splitBatch({ inputs: rows, targets: rows }, workers);
    assertEquals(parts.flatMap(({ inputs }) => inputs), rows);
    assertEquals(parts.flatMap(({ targets }) => targets), rows);
    assertEquals(parts.length, Math.min(workers, size));
    const sizes = parts.map(({ inputs }) => inputs.length);
    assertEquals(parts.map(({ share }) => share), sizes.map((count) => count / size));
    assertEquals(sizes[0], Math.min(...sizes));
    assert(sizes[0] > 0 && Math.max(...sizes) - sizes[0] <= 1);
  }));
});

Deno.test("splitBatch() computes shares without padding", () => {
  const rows = [[1, 2, 3], [1, 2, 3], [1, 2, 3]], weights = [[1, 1, 1], [1, 0, 0], [1, 1, 0]];
  const parts = splitBatch({ inputs: rows, targets: rows, weights }, 2);
  assertEquals(parts.map(({ weights }) => weights), [weights.slice(0, 1), weights.slice(1)]);
  assertEquals(parts.map(({ share }) => share), [1 / 2, 1 / 2]);
});
