import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { blockSize, sizeClass, sizeOfClass } from "../../src/backends/block_size.ts";
import { anySize } from "./sizes.ts";

Deno.test("blockSize() holds every number of bytes, with at most a fifth or a cache line unused", () => {
  fc.assert(
    fc.property(anySize, (bytes) => {
      const size = blockSize(bytes);
      assert(size >= bytes && size % 64 === 0, `${bytes} to ${size}`);
      assert(size - bytes <= Math.max(64, size / 5), `${bytes} to ${size}`);
    }),
    { numRuns: 10_000 },
  );
});

Deno.test("blockSize() is monotonic, and maps block sizes to themselves", () => {
  fc.assert(
    fc.property(anySize, anySize, (a, b) => {
      assert(a <= b ? blockSize(a) <= blockSize(b) : blockSize(a) >= blockSize(b), `${a} and ${b}`);
      assertEquals(blockSize(blockSize(a)), blockSize(a));
    }),
    { numRuns: 10_000 },
  );
});

Deno.test("sizeOfClass() is the inverse of sizeClass() for every block size", () => {
  let before = -1;
  for (let bytes = 1; bytes < 2 ** 53; bytes = blockSize(bytes) + 1) {
    const size = blockSize(bytes), number = sizeClass(size);
    assertEquals(sizeOfClass(number), size);
    assert(number > before, `class ${number} of ${size} after ${before}`);
    before = number;
  }
});
