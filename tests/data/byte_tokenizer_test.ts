import { assert, assertEquals } from "@std/assert";
import { byteTokenizer } from "@seqmix/seqmix";
import fc from "fast-check";
import { testFailures, wrong } from "../helpers.ts";

const text = fc.string({ unit: "binary", maxLength: 30 });

Deno.test("byteTokenizer gives back any text, U+FEFF at its beginning too", () => {
  const property = fc.property(text, (text) => {
    assertEquals(byteTokenizer.decode(byteTokenizer.encode(text)), text);
  });
  fc.assert(property, { seed: 1 });
  assertEquals(byteTokenizer.decode(byteTokenizer.encode("\ufeffa")), "\ufeffa");
  assertEquals([...byteTokenizer.encode("né")], [110, 195, 169]);
  assertEquals(byteTokenizer.decode([110, 195, 169]), "né");
  assertEquals(byteTokenizer.vocabulary, 256);
});

Deno.test("byteTokenizer.stream() gives whole characters, however the bytes arrive", () => {
  const property = fc.property(text, fc.array(fc.integer({ min: 1, max: 5 })), (text, sizes) => {
    const ids = byteTokenizer.encode(text), stream = byteTokenizer.stream();
    let found = "";
    for (let at = 0, i = 0; at < ids.length; i++) {
      const size = sizes[i % sizes.length] ?? 1;
      const part = size === 1 ? stream.push(ids[at]) : stream.push(ids.subarray(at, at + size));
      at += size;
      assertEquals(part, part.toWellFormed());
      assert(text.includes("\ufffd") || !part.includes("\ufffd"));
      found += part;
    }
    assertEquals(found + stream.end(), text);
  });
  fc.assert(property, { seed: 1 });
});

Deno.test("byteTokenizer.stream() replaces bytes that are no characters, and begins again after the end", () => {
  const stream = byteTokenizer.stream();
  assertEquals([195, 110, 255, 240, 159].map((id) => stream.push(id)), ["", "\ufffdn", "\ufffd", "", ""]);
  assertEquals(stream.end(), "\ufffd");
  assertEquals(stream.end(), "");
  assertEquals(stream.push([240, 159, 152, 128]), "😀");
  assertEquals(byteTokenizer.decode([240, 159]), "\ufffd");
});

testFailures("byteTokenizer", [
  [
    "no text",
    () => byteTokenizer.encode(wrong(undefined)),
    TypeError,
    "Cannot encode text: text must be a string, current value is undefined",
  ],
  [
    "text to decode",
    () => byteTokenizer.decode(wrong("text")),
    TypeError,
    'Cannot decode bytes: ids must be a list of numbers, current value is "text"',
  ],
  [
    "an id of another vocabulary",
    () => byteTokenizer.decode([1, 256]),
    RangeError,
    "Cannot decode bytes: ids must be integers from 0 to 255, current ids[1] is 256",
  ],
  [
    "an id that is no number",
    () => byteTokenizer.decode([wrong(1n)]),
    RangeError,
    "Cannot decode bytes: ids must be integers from 0 to 255, current ids[0] is 1n",
  ],
  [
    "a fraction in a stream",
    () => byteTokenizer.stream().push(0.5),
    RangeError,
    "Cannot decode bytes: ids must be integers from 0 to 255, current ids[0] is 0.5",
  ],
]);
