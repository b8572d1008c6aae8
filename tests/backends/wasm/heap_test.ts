import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Heap } from "../../../src/backends/wasm/heap.ts";
import { anySize } from "../sizes.ts";

const limit = 2 ** 18;

function makeHeap(base = 1000): { heap: Heap; memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial: 1 });
  return { heap: new Heap(memory, base, limit), memory };
}

/** As many blocks of a size as fit. */
function fill(heap: Heap, bytes: number): number[] {
  const addresses: number[] = [];
  assertThrows(() => {
    for (;;) addresses.push(heap.allocate(bytes));
  }, RangeError);
  return addresses;
}

Deno.test("Heap allocates blocks within the memory that never overlap", () => {
  const requests = fc.array(fc.record({ bytes: fc.nat(30_000), release: fc.option(fc.nat()) }), {
    minLength: 20,
    maxLength: 120,
  });
  fc.assert(fc.property(requests, (list) => {
    const { heap, memory } = makeHeap();
    const held: { address: number; bytes: number }[] = [];
    for (const { bytes, release } of list) {
      try {
        held.push({ address: heap.allocate(bytes), bytes });
      } catch (error) {
        assert(error instanceof RangeError, String(error));
      }
      if (release !== null && held.length > 0) {
        const [{ address, bytes }] = held.splice(release % held.length, 1);
        heap.release(address, bytes);
      }
    }
    let end = 1000;
    for (const { address, bytes } of held.toSorted((a, b) => a.address - b.address)) {
      assert(address % 64 === 0 && address >= end, `${address} after ${end}`);
      end = address + bytes;
    }
    assert(end <= memory.buffer.byteLength && end <= limit);
  }));
});

Deno.test("Heap reuses released blocks before it grows", () => {
  const { heap } = makeHeap();
  const first = heap.allocate(5000);
  heap.allocate(5000);
  heap.release(first, 5000);
  assertEquals(heap.allocate(5000), first);
});

Deno.test("Heap can be filled again with blocks of any size after small ones were released", () => {
  for (const bytes of [10_000, 100_000, 229_376]) {
    const { heap } = makeHeap();
    for (const address of fill(heap, 64)) heap.release(address, 64);
    heap.allocate(bytes);
  }
});

Deno.test("Heap reuses the gap of adjacent released blocks", () => {
  const { heap } = makeHeap();
  const addresses = fill(heap, 1024);
  for (const address of addresses.slice(3, 7)) heap.release(address, 1024);
  assertEquals(heap.allocate(3072), addresses[3]);
  assertEquals(heap.allocate(1024), addresses[6]);
  assertThrows(() => heap.allocate(64), RangeError);
});

Deno.test("Heap reports the use and the limit when it refuses", () => {
  const { heap } = makeHeap();
  heap.allocate(100);
  assertThrows(
    () => heap.allocate(limit),
    RangeError,
    "Cannot allocate tensor: WebAssembly memory must have room for 262144 bytes, current use is 128 of 262144 bytes",
  );
});

/** A simulated memory of up to 4 GiB that takes none. */
function pretendedMemory(): WebAssembly.Memory {
  const buffer = { byteLength: 65_536 };
  const grow = (pages: number) => buffer.byteLength += 65_536 * pages;
  return { buffer, grow } as unknown as WebAssembly.Memory;
}

Deno.test("Heap allocates disjoint blocks of any size up to its limit, and refuses larger ones", () => {
  const most = 2 ** 32 - 65_536;
  fc.assert(
    fc.property(fc.array(fc.tuple(anySize, fc.boolean()), { minLength: 1, maxLength: 40 }), (requests) => {
      const memory = pretendedMemory();
      const heap = new Heap(memory, 1000, most);
      const held: { address: number; bytes: number }[] = [];
      for (const [bytes, releases] of requests) {
        try {
          held.push({ address: heap.allocate(bytes), bytes });
        } catch (error) {
          assert(
            error instanceof RangeError && error.message.includes(`room for ${bytes} bytes, `),
            String(error),
          );
        }
        if (releases && held.length > 0) {
          const { address, bytes } = held.shift()!;
          heap.release(address, bytes);
        }
      }
      let end = 1000;
      for (const { address, bytes } of held.toSorted((a, b) => a.address - b.address)) {
        assert(address % 64 === 0 && address >= end, `${address} after ${end}`);
        end = address + bytes;
      }
      assert(
        end <= memory.buffer.byteLength && memory.buffer.byteLength <= most,
        `${end} of ${memory.buffer.byteLength}`,
      );
      for (const { address, bytes } of held) heap.release(address, bytes);
      heap.allocate(7 * 2 ** 29);
    }),
    { numRuns: 1000 },
  );
});
