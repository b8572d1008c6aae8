import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { batchesOf, batchOf, tokensOf } from "../../src/models/batches.ts";
import { randomSource } from "../../src/random.ts";

const lengths = fc.array(fc.integer({ min: 2, max: 300 }), { minLength: 1, maxLength: 60 });
const sizes = fc.integer({ min: 1, max: 9 });

Deno.test("batchesOf() pads to few different lengths of sequences, and not by much", () => {
  fc.assert(fc.property(lengths, sizes, (lengths, size) => {
    const batches = batchesOf(lengths, size);
    const sequences = lengths.map((length) => Array(length).fill(0));
    for (const rows of batches) {
      assert(lengths.includes(rows.length));
      const { targets } = batchOf(sequences, rows), tokens = tokensOf(batchOf(sequences, rows));
      assert(
        tokens > 0.6 * targets.length * (rows.length - 1),
        `${tokens} in ${rows.indices.length} of ${rows.length}`,
      );
    }
    // 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, and so on to 320
    assert(new Set(batches.map(({ length }) => length)).size <= 29);
  }));
});

Deno.test("batchesOf() does not mix very different lengths, and pads nothing if there are few lengths", () => {
  assertEquals(batchesOf([100, 5, 100, 5, 5], 4), [
    { indices: [1, 3, 4], length: 5 },
    { indices: [0, 2], length: 100 },
  ]);
  assertEquals(batchesOf([33, 80, 33, 80], 2), [
    { indices: [0, 2], length: 33 },
    { indices: [1, 3], length: 80 },
  ]);
});

Deno.test("batchesOf() makes few, full and dense batches of 495 paragraphs of 328 lengths", () => {
  // Like the lengths of paragraphs: log-normal, with a median of 250 characters.
  const random = randomSource(1), distinct = new Set<number>();
  while (distinct.size < 328) distinct.add(Math.max(2, Math.round(250 * Math.exp(0.7 * random.normal()))));
  const lengths = [...distinct];
  while (lengths.length < 495) lengths.push(lengths[random.integer(328)]);
  const batches = batchesOf(lengths, 32);
  const sequences = lengths.map((length) => Array(length).fill(0));
  const tokens = lengths.reduce((sum, length) => sum + length - 1, 0);
  const padded = batches.reduce((sum, { indices, length }) => sum + indices.length * (length - 1), 0);
  console.log(
    `${batches.length} batches of ${batches.map(({ indices }) => indices.length)}, padded to ${
      batches.map(({ length }) => length)
    }: ${(100 * (padded - tokens) / padded).toFixed(1)}% padding`,
  );
  assertEquals(batches.reduce((sum, rows) => sum + tokensOf(batchOf(sequences, rows)), 0), tokens);
  assert(batches.length <= 20);
  assert(tokens > 0.8 * padded);
  assert(new Set(batches.map(({ indices, length }) => `${indices.length} ${length}`)).size < 20);
});

Deno.test("batchOf() has all tokens but the last as inputs and all but the first as targets", () => {
  assertEquals(batchOf([[1, 2, 3], [4, 5, 6], Uint8Array.of(7, 8, 9)], { indices: [2, 0], length: 3 }), {
    inputs: [[7, 8], [1, 2]],
    targets: [[8, 9], [2, 3]],
  });
});

Deno.test("batchOf() pads with the last id, whose weight is 0", () => {
  const batch = batchOf([[1, 2], [3, 4, 5, 6]], { indices: [0, 1], length: 5 });
  assertEquals(batch, {
    inputs: [[1, 2, 2, 2], [3, 4, 5, 6]],
    targets: [[2, 2, 2, 2], [4, 5, 6, 6]],
    weights: [[1, 0, 0, 0], [1, 1, 1, 0]],
  });
  assertEquals(tokensOf(batch), 4);
});
