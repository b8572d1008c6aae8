import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { batchOf, batchOrder, splitBatch } from "../../src/train/batches.ts";

const lengths = fc.array(fc.constantFrom(4, 7, 9), { minLength: 1, maxLength: 60 });

Deno.test("batchOrder() has every sequence once, batches of one length, and none too large", () => {
  fc.assert(fc.property(lengths, fc.integer({ min: 1, max: 8 }), fc.nat(9), (lengths, size, epoch) => {
    const batches = batchOrder(lengths, size, 1, epoch);
    assertEquals(batches.flat().sort((a, b) => a - b), [...lengths.keys()]);
    for (const batch of batches) {
      assert(batch.length <= size);
      assertEquals(new Set(batch.map((i) => lengths[i])).size, 1);
    }
    // As few as there can be.
    const groups = Map.groupBy(lengths, (length) => length).values();
    assertEquals(batches.length, [...groups].reduce((sum, group) => sum + Math.ceil(group.length / size), 0));
  }));
});

Deno.test("batchOrder() is drawn from the seed and the epoch alone", () => {
  const lengths = Array.from({ length: 40 }, () => 8);
  assertEquals(batchOrder(lengths, 8, 1, 2), batchOrder(lengths, 8, 1, 2));
  assertNotEquals(batchOrder(lengths, 8, 1, 2), batchOrder(lengths, 8, 1, 3));
  assertNotEquals(batchOrder(lengths, 8, 1, 2), batchOrder(lengths, 8, 2, 2));
});

Deno.test("batchOf() reads all tokens but the last and predicts all but the first", () => {
  assertEquals(batchOf([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [2, 0]), {
    inputs: [[7, 8], [1, 2]],
    targets: [[8, 9], [2, 3]],
  });
});

Deno.test("splitBatch() keeps the order and leaves no part empty", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 33 }), fc.integer({ min: 1, max: 9 }), (size, parts) => {
    const rows = Array.from({ length: size }, (_, i) => [i]);
    const split = splitBatch({ inputs: rows, targets: rows }, parts);
    assertEquals(split.flatMap(({ inputs }) => inputs), rows);
    assertEquals(split.flatMap(({ targets }) => targets), rows);
    assertEquals(split.length, Math.min(parts, size));
    const sizes = split.map(({ inputs }) => inputs.length);
    assert(Math.max(...sizes) - Math.min(...sizes) <= 1 && Math.min(...sizes) > 0);
  }));
});
