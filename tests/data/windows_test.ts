import { assert, assertEquals } from "@std/assert";
import { windows } from "@seqmix/seqmix";
import fc from "fast-check";
import { testFailures, wrong } from "../helpers.ts";

Deno.test("windows() predict every token but the first once, except for a rest shorter than a window", () => {
  const property = fc.property(fc.nat(200), fc.integer({ min: 2, max: 50 }), (size, length) => {
    const ids = Array.from({ length: size }, (_, i) => i);
    const found = windows(ids, length);
    assert(found.every((window) => window.length === length));
    const predicted = found.flatMap((window) => window.slice(1));
    assertEquals(predicted, ids.slice(1, 1 + predicted.length));
    assert(size < length ? found.length === 0 : size - 1 - predicted.length < length - 1);
  });
  fc.assert(property, { seed: 1 });
});

Deno.test("windows() start a stride apart, and are copies of the same kind", () => {
  assertEquals(windows([0, 1, 2, 3, 4, 5, 6], 3, 2), [[0, 1, 2], [2, 3, 4], [4, 5, 6]]);
  assertEquals(windows([0, 1, 2, 3, 4, 5], 3, 3), [[0, 1, 2], [3, 4, 5]]);
  assertEquals(windows([0, 1, 2, 3, 4, 5], 2, 4), [[0, 1], [4, 5]]);
  const bytes = Uint8Array.of(1, 2, 3), [window] = windows(bytes, 3);
  assert(window instanceof Uint8Array && window.buffer !== bytes.buffer);
  bytes.fill(9);
  assertEquals(window, Uint8Array.of(1, 2, 3));
});

testFailures("windows()", [
  [
    "a text",
    () => windows(wrong("abc"), 2),
    TypeError,
    'Cannot cut windows: ids must be a list or a typed array of numbers, current value is "abc"',
  ],
  [
    "a length of 1",
    () => windows([1, 2], 1),
    RangeError,
    "Cannot cut windows: length must be an integer at least 2, current value is 1",
  ],
  [
    "a length that is no number",
    () => windows([1, 2], wrong(2n)),
    TypeError,
    "Cannot cut windows: length must be a number, current value is 2n",
  ],
  [
    "a stride of 0",
    () => windows([1, 2], 2, 0),
    RangeError,
    "Cannot cut windows: stride must be an integer at least 1, current value is 0",
  ],
]);
