import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Arena, planPlaces } from "../../src/runtime/arena.ts";
import type { Slot } from "../../src/runtime/recording.ts";
import { createReference } from "@seqmix/seqmix";
import type { DeviceBackend } from "../../src/backends/device_backend.ts";
import type { Floats } from "../../src/tensor.ts";

const slot = fc.record({ size: fc.integer({ min: 1, max: 40 }), madeAt: fc.nat(30), calls: fc.nat(10) });

Deno.test("planPlaces() gives slots with overlapping lifetimes different places, of sufficient size", () => {
  const sizeFor = (size: number) => 8 * Math.ceil(size / 8);
  fc.assert(fc.property(fc.array(slot, { maxLength: 60 }), (drawn) => {
    const slots = drawn.map(({ size, madeAt, calls }, index): Slot => ({
      index,
      size,
      kind: "made",
      madeAt,
      releasedAt: madeAt + 1 + calls,
    }));
    const places = planPlaces(slots, sizeFor);
    for (const a of slots) {
      const place = places.get(a)!;
      assert(place.size >= a.size);
      for (const b of slots) {
        // Created before a call and released after it.
        const together = a.madeAt < b.releasedAt && b.madeAt < a.releasedAt;
        const other = places.get(b)!;
        if (a !== b && together) assert(place.size !== other.size || place.number !== other.number);
      }
    }
    // No more blocks of a size than are in use at once.
    for (const { size, number } of places.values()) {
      const most = Math.max(
        ...slots.map(({ madeAt }) =>
          slots.filter((s) => sizeFor(s.size) === size && s.madeAt <= madeAt && s.releasedAt > madeAt).length
        ),
      );
      assert(number < most);
    }
  }));
});

Deno.test("Arena frees a block with the last program that uses it", () => {
  using backend = createReference();
  const arena = new Arena((backend as DeviceBackend<Floats>).store);
  const few = [{ size: 3, number: 0 }, { size: 3, number: 0 }], more = [{ size: 3, number: 1 }];
  const [a, again] = few.map((place) => arena.take(place));
  const [b] = more.map((place) => arena.take(place));
  assert(a === again && a !== b);
  assertEquals(backend.memory().bytes, 24);
  arena.release(more);
  assertEquals(backend.memory().bytes, 12);
  const [c] = more.map((place) => arena.take(place));
  assert(c !== a);
  arena.release(few);
  arena.release(more);
  assertEquals(backend.memory().bytes, 0);
});
