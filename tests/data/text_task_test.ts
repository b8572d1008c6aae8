import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { byteTokenizer, evaluate, fit, lstmModel, textTask, windows } from "@seqmix/seqmix";
import { testFailures, wrong } from "../helpers.ts";

const text = "Grüße! The quick brown fox jumps over the lazy dog. ".repeat(30);
const bytes = byteTokenizer.encode(text);

Deno.test("textTask() tests with the end of the text", () => {
  const { train, test } = textTask(text, { length: 32, test: 5 });
  assertEquals([...train, ...test], windows(bytes, 32));
  assertEquals(test.length, 5);
  assertEquals(textTask(bytes, { length: 32, test: 5 }), { train, test });
  assertEquals(textTask(text).train[0].length, 128);
});

Deno.test("textTask() with a seed tests with sequences of all of the text", () => {
  const { train, test } = textTask(text, { length: 32, test: 0.2, seed: 1 });
  const key = (sequence: Uint8Array) => sequence.join();
  assertEquals([...train, ...test].map(key).sort(), windows(bytes, 32).map(key).sort());
  assertNotEquals(test, windows(bytes, 32).slice(-test.length));
});

Deno.test("fit() learns a textTask(), and evaluate() has its bits a byte", async () => {
  const task = textTask(text, { length: 33 });
  const config = { vocabulary: byteTokenizer.vocabulary, layers: 1, channels: 16 };
  let bits = Infinity, params;
  for await (
    const at of fit(lstmModel, task, { config, epochs: 12, batchSize: 4, learningRate: 0.02, seed: 1 })
  ) {
    bits = at.test!.bitsPerToken;
    params = at.params;
  }
  assert(bits < 4, `${bits} bits a byte`);
  assertEquals((await evaluate(lstmModel, params!, task.test)).bitsPerToken, bits);
});

testFailures("textTask()", [
  [
    "a list",
    () => textTask(wrong([1, 2, 3])),
    TypeError,
    "Cannot make text task: text must be a string or bytes, current value is an array of length 3",
  ],
  [
    "a short text",
    () => textTask("short", { length: 4 }),
    RangeError,
    "Cannot make text task: text must have at least 7 bytes for two sequences of 4, current length is 5",
  ],
  [
    "an unknown option",
    () => textTask(text, wrong({ lenght: 4 })),
    TypeError,
    "Cannot make text task: options must have known names (perhaps length), current one is lenght",
  ],
  [
    "a test of NaN",
    () => textTask(text, { test: NaN }),
    RangeError,
    "Cannot make text task: test must be between 0 and 1 or an integer from 1 to 11, current value is NaN",
  ],
]);
