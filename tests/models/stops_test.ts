import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { stopsOf } from "../../src/models/stops.ts";

const ids = fc.array(fc.constantFrom(1, 2, 3), { minLength: 1, maxLength: 4 });

/** The number of ids that can be returned after each one, directly from the definition; null at the end. */
function sureAfter(stream: readonly number[], stop: readonly (readonly number[])[]): (number | null)[] {
  const endsWith = (part: readonly number[], whole: readonly number[]) =>
    part.length <= whole.length && `${whole.slice(whole.length - part.length)}` === `${part}`;
  const sure: (number | null)[] = [];
  for (let n = 1; n <= stream.length; n++) {
    const seen = stream.slice(0, n), found = stop.filter((one) => endsWith(one, seen));
    if (found.length > 0) return [...sure, n - Math.max(...found.map(({ length }) => length)), null];
    const held = stop.flatMap((one) => one.slice(1).map((_, i) => one.slice(0, i + 1)))
      .filter((part) => endsWith(part, seen)).map(({ length }) => length);
    sure.push(n - Math.max(0, ...held));
  }
  return sure;
}

Deno.test("stopsOf() stops before the first complete sequence, and holds back partial matches", () => {
  const streams = fc.array(fc.constantFrom(1, 2, 3), { maxLength: 30 });
  fc.assert(fc.property(fc.array(ids, { maxLength: 4 }), streams, (stop, stream) => {
    const stops = stopsOf("test", stop), sure: (number | null)[] = [];
    let given = 0;
    for (const [i, id] of stream.entries()) {
      const ended = stops.push(id), now = i + 1 - stops.held;
      // What was returned can't be taken back.
      assertEquals(now >= given, true);
      given = now;
      sure.push(now);
      if (ended) {
        sure.push(null);
        break;
      }
    }
    assertEquals(sure, sureAfter(stream, stop));
  }));
});

Deno.test("stopsOf() accepts single ids besides sequences", () => {
  const stops = stopsOf("test", [4, [1, 2]]);
  assertEquals([1, 1, 3, 4].map((id) => [stops.push(id), stops.held]), [[false, 1], [false, 1], [false, 0], [
    true,
    1,
  ]]);
});
